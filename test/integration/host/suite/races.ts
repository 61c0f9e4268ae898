import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { activated, waitFor, workspacePath } from './support.js';

const file = () => vscode.Uri.file(workspacePath('examples', 'two.race.json'));

async function show(text: string): Promise<vscode.TextDocument> {
  await vscode.workspace.fs.writeFile(file(), Buffer.from(text));
  const document = await vscode.workspace.openTextDocument(file());
  await vscode.window.showTextDocument(document);
  return document;
}

describe('race files', () => {
  afterEach(() => vscode.workspace.fs.delete(file()));

  it('have a CodeLens that starts the race, and one that opens it', async () => {
    await activated();
    await show('{ "run": "pirate.tune.json", "vary": [{}] }');
    const lenses = await waitFor('code lenses', async () => {
      const found = await vscode.commands.executeCommand<vscode.CodeLens[]>(
        'vscode.executeCodeLensProvider',
        file(),
        10,
      );
      return found.length >= 2 && found;
    });
    assert.deepEqual(
      lenses.map(({ command }) => command?.command),
      ['tunewright.startRace', 'tunewright.openRace'],
    );
  });

  it('are validated by the schema: options of methods, budgets and grids', async () => {
    const text = JSON.stringify({
      run: 'pirate.tune.json',
      vary: [{ method: { peft_type: 'LORA', rnk: 3 } }],
      budget: { stepps: 3 },
    });
    const document = await show(text);
    const problems = await waitFor('diagnostics', () => {
      const found = vscode.languages.getDiagnostics(file());
      return found.length >= 2 && found;
    });
    const marked = problems.map(({ range }) => document.getText(range));
    for (const key of ['"rnk"', '"stepps"']) assert.ok(marked.includes(key), marked.join());
  });

  it('are completed by the schema, and say what a key means', async () => {
    const text = '{ "vary": [{ "grid": {  } }], "budget": {  } }';
    const document = await show(text);
    const labels = (offset: number) =>
      waitFor('completions', async () => {
        const { items } = await vscode.commands.executeCommand<vscode.CompletionList>(
          'vscode.executeCompletionItemProvider',
          file(),
          document.positionAt(offset),
        );
        const found = items.map(({ label }) => (typeof label === 'string' ? label : label.label));
        return found.length > 2 && found;
      });
    assert.ok((await labels(text.indexOf('{  }') + 2)).includes('method.r'));
    assert.ok((await labels(text.lastIndexOf('{  }') + 2)).includes('max_steps'));
    const hovers = await waitFor('a hover', async () => {
      const found = await vscode.commands.executeCommand<vscode.Hover[]>(
        'vscode.executeHoverProvider',
        file(),
        document.positionAt(text.indexOf('budget') + 1),
      );
      return found.length > 0 && found;
    });
    const said = hovers.flatMap(({ contents }) => contents.map(each => (each as vscode.MarkdownString).value)).join();
    assert.match(said, /How long each entry trains/);
  });
});
