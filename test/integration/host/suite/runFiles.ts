import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { activated, waitFor, workspacePath } from './support.js';

const pirate = () => vscode.Uri.file(workspacePath('examples', 'pirate.tune.json'));

describe('run files', () => {
  it('have a CodeLens that starts them', async () => {
    await activated();
    await vscode.window.showTextDocument(pirate());
    const lenses = await waitFor('code lenses', async () => {
      const found = await vscode.commands.executeCommand<vscode.CodeLens[]>(
        'vscode.executeCodeLensProvider',
        pirate(),
        10,
      );
      return found.some(lens => lens.command?.command === 'tunewright.startRunFile') && found;
    });
    assert.match(lenses.map(lens => lens.command?.title).join(), /Start Run/);
  });

  it('are validated by the schema, which marks a misspelt key', async () => {
    const uri = vscode.Uri.file(workspacePath('examples', 'wrong.tune.json'));
    const text = JSON.stringify({
      model: 'embedded:tiny',
      dataset: { train: 'a.jsonl' },
      method: { peft_type: 'LORA', rnk: 3 },
    });
    await vscode.workspace.fs.writeFile(uri, Buffer.from(text));
    await vscode.window.showTextDocument(uri);
    const [problem] = await waitFor('a diagnostic', () => {
      const found = vscode.languages.getDiagnostics(uri);
      return found.length > 0 && found;
    });
    assert.match(problem!.message, /rnk/);
    await vscode.workspace.fs.delete(uri);
  });

  it('are completed by the schema: keys of the method, and methods', async () => {
    const uri = vscode.Uri.file(workspacePath('examples', 'incomplete.tune.json'));
    const text = '{ "method": { "peft_type": "" }, "training": {  } }';
    await vscode.workspace.fs.writeFile(uri, Buffer.from(text));
    const document = await vscode.workspace.openTextDocument(uri);
    const labels = (offset: number) =>
      waitFor('completions', async () => {
        const { items } = await vscode.commands.executeCommand<vscode.CompletionList>(
          'vscode.executeCompletionItemProvider',
          uri,
          document.positionAt(offset),
        );
        const found = items.map(({ label }) => (typeof label === 'string' ? label : label.label));
        return found.length > 2 && found;
      });
    const methods = await labels(text.indexOf('""') + 1);
    for (const name of ['"LORA"', '"IA3"', '"FULL"']) assert.ok(methods.includes(name), methods.join());
    const keys = await labels(text.lastIndexOf('{') + 1);
    assert.ok(keys.includes('learning_rate'), keys.join());
    await vscode.workspace.fs.delete(uri);
  });

  it('open in the form with absolute paths', async () => {
    const { context } = await activated();
    await vscode.commands.executeCommand('tunewright.openRunFileInPanel', pirate());
    const draft = context.workspaceState.get<{ model: string; dataset: { train: string } }>('runPanel.draft')!;
    assert.equal(draft.model, 'embedded:tiny');
    assert.equal(draft.dataset.train, workspacePath('datasets', 'pirate.messages.jsonl'));
  });

  it('explain their keys', async () => {
    const document = await vscode.workspace.openTextDocument(pirate());
    const at = document.positionAt(document.getText().indexOf('max_length') + 2);
    const hovers = await waitFor('a hover', async () => {
      const found = await vscode.commands.executeCommand<vscode.Hover[]>('vscode.executeHoverProvider', pirate(), at);
      return found.length > 0 && found;
    });
    const words = hovers.flatMap(hover =>
      hover.contents.map(content => (typeof content === 'string' ? content : content.value)),
    );
    assert.match(words.join('\n'), /tokens/);
  });
});
