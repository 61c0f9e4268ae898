// Datasets in real editors: CodeLens, hover, lengths, problems and their fixes, the preview, outdated runs.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { activated, waitFor, workspacePath } from './support.js';

const chat = (...contents: string[]) =>
  JSON.stringify({ messages: contents.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content })) });

function dataset(name: string, ...lines: string[]): vscode.Uri {
  const path = workspacePath('datasets', name);
  writeFileSync(path, lines.map(line => `${line}\n`).join(''));
  return vscode.Uri.file(path);
}

async function show(uri: vscode.Uri): Promise<vscode.TextEditor> {
  await activated();
  return vscode.window.showTextDocument(uri, { preview: false });
}

/** Titles of the CodeLens, once the rows are counted. */
function titles(uri: vscode.Uri, match: RegExp): Promise<string[]> {
  let last: string[] = [];
  return waitFor(
    `a line like ${String(match)}`,
    async () => {
      const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>('vscode.executeCodeLensProvider', uri, 20);
      last = lenses.map(lens => lens.command?.title ?? '');
      return last.some(title => match.test(title)) && last;
    },
    () => last.join(' | '),
  );
}

/** Waits until `pick` returns something for the problems that Tunewright has found. */
function fromProblems<T>(uri: vscode.Uri, what: string, pick: (ours: vscode.Diagnostic[]) => T | false | undefined) {
  const ours = () => vscode.languages.getDiagnostics(uri).filter(({ source }) => source === 'Tunewright');
  const told = () => ours().map(({ code, message }) => `${String(code)}: ${message}`);
  return waitFor(
    what,
    () => pick(ours()),
    () => told().join(' | '),
  );
}

function problems(uri: vscode.Uri, count: number): Promise<vscode.Diagnostic[]> {
  return fromProblems(uri, `${count} problems`, ours => ours.length === count && ours);
}

/** Waits for a problem of this kind. */
function problem(uri: vscode.Uri, code: string): Promise<vscode.Diagnostic> {
  return fromProblems(uri, code, ours => ours.find(each => each.code === code));
}

/** As many as any test here is offered. */
const RESOLVED_FIXES = 50;

function fixes(uri: vscode.Uri, diagnostic: vscode.Diagnostic): Thenable<vscode.CodeAction[]> {
  return vscode.commands.executeCommand<vscode.CodeAction[]>(
    'vscode.executeCodeActionProvider',
    uri,
    diagnostic.range,
    vscode.CodeActionKind.QuickFix.value,
    RESOLVED_FIXES,
  );
}

async function apply(actions: readonly vscode.CodeAction[], title: string): Promise<void> {
  const action = actions.find(each => each.title === title);
  assert.ok(action?.edit, `${title} is none of: ${actions.map(each => each.title).join(' | ')}`);
  assert.ok(await vscode.workspace.applyEdit(action.edit));
}

/** Applies the first fix as VS Code would: its edit, then its command. */
async function applyFirst(uri: vscode.Uri, diagnostic: vscode.Diagnostic): Promise<vscode.CodeAction> {
  const [first] = await fixes(uri, diagnostic);
  assert.ok(first, `no fix for: ${diagnostic.message}`);
  assert.ok(first.edit ?? first.command, `${first.title} does nothing`);
  if (first.edit) assert.ok(await vscode.workspace.applyEdit(first.edit));
  if (first.command)
    await vscode.commands.executeCommand(first.command.command, ...((first.command.arguments ?? []) as unknown[]));
  return first;
}

const withRoles = (...turns: [string, string][]) =>
  JSON.stringify({ messages: turns.map(([role, content]) => ({ role, content })) });
const tooLong = (times: number) => chat('Tell me more', 'and more and more '.repeat(times));
const answeredTooLate = (times: number) => chat('long '.repeat(times), 'and never answered');

/** A kind of problem, a dataset with that problem only, the first fix, and the rows after the fix. */
const FIXED: { code: string; what: string; name: string; rows: string[]; fix: string | RegExp; left: string[] }[] = [
  {
    code: 'invalid_json',
    what: 'JSON that a lenient parser accepts',
    name: 'comma.jsonl',
    rows: [chat('a?', 'b'), `${chat('c?', 'd').slice(0, -1)},}`],
    fix: 'Repair the JSON of this row',
    left: [chat('a?', 'b'), chat('c?', 'd')],
  },
  {
    code: 'invalid_json',
    what: 'a row as Python prints it',
    name: 'python.jsonl',
    rows: [chat('a?', 'b'), `{'messages': [{'role': 'user', 'content': "c?"}, {'role': 'assistant', 'content': 'd'}]}`],
    fix: 'Repair the JSON of this row',
    left: [chat('a?', 'b'), chat('c?', 'd')],
  },
  {
    code: 'empty_answer',
    what: 'an empty answer',
    name: 'empty.jsonl',
    rows: [chat('a?', 'b'), chat('c?', '')],
    fix: 'Delete this row',
    left: [chat('a?', 'b')],
  },
  {
    code: 'invalid_json',
    what: 'JSON that no parser accepts',
    name: 'broken.jsonl',
    rows: [chat('a?', 'b'), '[oops', chat('c?', 'd')],
    fix: 'Delete this row',
    left: [chat('a?', 'b'), chat('c?', 'd')],
  },
  {
    code: 'invalid_row',
    what: 'a row of another shape',
    name: 'shape.jsonl',
    rows: [chat('a?', 'b'), '{"messages":"none"}', chat('c?', 'd')],
    fix: 'Delete this row',
    left: [chat('a?', 'b'), chat('c?', 'd')],
  },
  {
    code: 'wrong_role_order',
    what: 'two questions in a row',
    name: 'questions.jsonl',
    rows: [chat('a?', 'b'), withRoles(['user', 'c'], ['user', 'd'])],
    fix: 'Change role to "assistant"',
    left: [chat('a?', 'b'), chat('c', 'd')],
  },
  {
    code: 'wrong_role_order',
    what: 'a question without an answer',
    name: 'unanswered.jsonl',
    rows: [chat('a?', 'b'), chat('c?', 'd', 'e?')],
    fix: 'Remove message 3',
    left: [chat('a?', 'b'), chat('c?', 'd')],
  },
  {
    code: 'all_masked',
    what: 'a row without a label',
    name: 'labels.jsonl',
    rows: ['{"input_ids":[5,6],"labels":[5,6]}', '{"input_ids":[5,7],"labels":[-100,-100]}'],
    fix: 'Delete this row',
    left: ['{"input_ids":[5,6],"labels":[5,6]}'],
  },
  {
    code: 'duplicate',
    what: 'a duplicate row',
    name: 'twice.jsonl',
    rows: [chat('a?', 'b'), chat('c?', 'd'), chat('a?', 'b')],
    fix: 'Remove this duplicate',
    left: [chat('a?', 'b'), chat('c?', 'd')],
  },
  {
    code: 'duplicate',
    what: 'the last element of a JSON array',
    name: 'twice.json',
    rows: ['[', `  ${chat('a?', 'b')},`, `  ${chat('a?', 'b')}`, ']'],
    fix: 'Remove this duplicate',
    left: ['[', `  ${chat('a?', 'b')}`, ']'],
  },
  {
    code: 'duplicate',
    what: 'the last line of a CSV file',
    name: 'twice.csv',
    rows: ['prompt,completion', 'a?,b', 'c?,d', 'a?,b'],
    fix: 'Remove this duplicate',
    left: ['prompt,completion', 'a?,b', 'c?,d'],
  },
];

describe('datasets in editors', () => {
  after(() => vscode.commands.executeCommand('workbench.action.closeAllEditors'));

  for (const [name, match] of [
    ['pirate.messages.jsonl', /Conversations \(OpenAI messages\) · 300 rows · [\d,]+ tokens · \d+% trained on/],
    ['haiku.sharegpt.json', /ShareGPT.* · 32 rows/],
    ['facts.csv', /Prompt and completion · 48 rows/],
  ] as const) {
    it(`${name} has a CodeLens that describes it`, async () => {
      const uri = vscode.Uri.file(workspacePath('datasets', name));
      await show(uri);
      const found = await titles(uri, match);
      assert.ok(found.some(title => title.includes('Fine-Tune')));
      assert.ok(found.some(title => title.endsWith('Preview')));
    });
  }

  it('a file that is not a dataset has none', async () => {
    const uri = dataset('server.jsonl', '{"level":"info","message":"a"}', '{"level":"warn","message":"b"}');
    await show(uri);
    // What is opened later and has one.
    const later = vscode.Uri.file(workspacePath('datasets', 'facts.csv'));
    await show(later);
    await titles(later, /48 rows/);
    await show(uri);
    const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>('vscode.executeCodeLensProvider', uri, 20);
    assert.deepEqual(lenses, []);
  });

  it('the hover over a row shows its tokens and its length compared with the run file’s max_length', async () => {
    const uri = vscode.Uri.file(workspacePath('datasets', 'pirate.messages.jsonl'));
    await show(uri);
    await titles(uri, /tokens/);
    const at = new vscode.Position(0, 20);
    const hover = await waitFor('a hover', async () => {
      const found = await vscode.commands.executeCommand<vscode.Hover[]>('vscode.executeHoverProvider', uri, at);
      return found.map(each => (each.contents[0] as vscode.MarkdownString).value).find(text => text.includes('Row 1'));
    });
    assert.match(hover, /of 128 tokens/);
    assert.match(hover, /<b><span style="color:var\(--vscode-charts-green\);">/);
  });

  it('problems are marked at their place, and fixed', async () => {
    const uri = dataset(
      'wrong.jsonl',
      chat('Hi', 'Hello.'),
      '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},]}',
      chat('Hi', 'Hello.'),
      '{"messages":[{"role":"user","content":"Who?"},{"role":"narrator","content":"Me."}]}',
      chat('Tell me more', 'and more and more '.repeat(150)),
      chat('What?', 'That.'),
    );
    const editor = await show(uri);
    const line = (diagnostics: vscode.Diagnostic[], code: string) => {
      const found = diagnostics.find(each => each.code === code);
      assert.ok(found, `no ${code} in ${diagnostics.map(each => String(each.code)).join()}`);
      return found;
    };
    // A role unknown to templates also leaves nothing to train on.
    let found = await problems(uri, 5);
    assert.deepEqual(found.map(each => each.range.start.line).sort(), [1, 2, 3, 3, 4]);
    const role = line(found, 'wrong_role_order');
    assert.equal(editor.document.getText(role.range), '"narrator"');
    await apply(await fixes(uri, role), 'Change role to "assistant"');
    found = await problems(uri, 3);
    await apply(await fixes(uri, line(found, 'invalid_json')), 'Repair the JSON of this row');
    found = await problems(uri, 2);
    await apply(await fixes(uri, line(found, 'duplicate')), 'Remove this duplicate');
    found = await problems(uri, 1);
    const cut = await fixes(uri, line(found, 'truncated_answer'));
    assert.ok(
      cut.some(action =>
        /^Raise max_length to \d+ in workspace settings \(tunewright\.preview\.maxLength\)$/.test(action.title),
      ),
    );
    await apply(cut, 'Delete this row');
    await problems(uri, 0);
    const rows = editor.document.getText().trimEnd().split('\n');
    assert.equal(rows.length, 4);
    for (const row of rows) assert.doesNotThrow(() => JSON.parse(row) as unknown);
    await titles(uri, /4 rows/);
  });

  it('each kind of problem in one row has a fix', async () => {
    const uri = dataset(
      'kinds.jsonl',
      chat('a?', 'b'),
      '{"messages":"none"}',
      chat('long '.repeat(700), 'and never answered'),
      '{"messages":[{"role":"user","content":"c"},{"role":"user","content":"d"},{"role":"assistant","content":"e"}]}',
      chat('a?', 'b'),
      '{"messages": [oops',
      chat('Tell me more', 'and more and more '.repeat(150)),
    );
    await show(uri);
    const kinds = ['all_masked', 'duplicate', 'invalid_json', 'invalid_row', 'truncated_answer', 'wrong_role_order'];
    const found = await waitFor(
      kinds.join(),
      () => {
        const ours = vscode.languages.getDiagnostics(uri).filter(({ source }) => source === 'Tunewright');
        return kinds.every(kind => ours.some(({ code }) => code === kind)) && ours;
      },
      () =>
        vscode.languages
          .getDiagnostics(uri)
          .map(({ code, message }) => `${String(code)}: ${message}`)
          .join(' | '),
    );
    for (const diagnostic of found) {
      const offered = await fixes(uri, diagnostic);
      assert.ok(offered.length > 0, diagnostic.message);
    }
  });

  it('a row with several problems is deleted by one fix, which is that of all of them', async () => {
    const row = withRoles(['user', 'a'], ['narrator', 'b']);
    const uri = dataset('several.jsonl', chat('a?', 'b'), row, row);
    await show(uri);
    await problem(uri, 'duplicate');
    const ofRow = vscode.languages.getDiagnostics(uri).filter(({ range }) => range.start.line === 2);
    assert.deepEqual(ofRow.map(({ code }) => code).sort(), ['all_masked', 'duplicate', 'wrong_role_order']);
    const whole = { range: new vscode.Range(2, 0, 2, 200) } as vscode.Diagnostic;
    const titles = (await fixes(uri, whole)).map(({ title }) => title);
    const deleting = titles.filter(title => /^(Delete this row|Remove this duplicate)$/.test(title));
    assert.equal(deleting.length, 1, titles.join(' | '));
    assert.equal(new Set(titles).size, titles.length, titles.join(' | '));
  });

  for (const { code, what, name, rows, fix, left } of FIXED)
    it(`${code}: the first fix repairs ${what}`, async () => {
      const uri = dataset(name, ...rows);
      const { document } = await show(uri);
      // A question without an answer also leaves nothing to train on until it is fixed.
      const found = await problem(uri, code);
      const { title, isPreferred } = await applyFirst(uri, found);
      assert.equal(title, fix);
      assert.ok(isPreferred);
      await problems(uri, 0);
      assert.deepEqual(document.getText().trimEnd().split('\n'), left);
      await document.save();
    });

  // The preview's limit is 512; the run's is 65, and it can't be raised beyond the model's 512 positions.
  for (const [code, row, rowOfRun] of [
    ['truncated_answer', tooLong(150), tooLong(60)],
    ['all_masked', answeredTooLate(700), answeredTooLate(200)],
  ] as const) {
    it(`${code}: the first fix raises max_length in the settings`, async () => {
      const uri = dataset(`${code}.jsonl`, chat('a?', 'b'), row);
      const { document } = await show(uri);
      const before = document.getText();
      const { title } = await applyFirst(uri, await problem(uri, code));
      const tokens = Number(/^Raise max_length to (\d+) in workspace settings/.exec(title)?.[1]);
      const settings = () => vscode.workspace.getConfiguration('tunewright', uri);
      assert.equal(settings().get('preview.maxLength'), tokens);
      await problems(uri, 0);
      assert.equal(document.getText(), before);
      await settings().update('preview.maxLength', undefined);
      await problem(uri, code);
    });

    it(`${code}: with a run file, the first fix raises max_length there, and saves it`, async () => {
      const uri = dataset(`${code}.run.jsonl`, chat('a?', 'b'), rowOfRun);
      const runFile = workspacePath(`${code}.tune.json`);
      const run = { model: 'embedded:tiny', method: { peft_type: 'LORA' } };
      const text = JSON.stringify(
        { ...run, dataset: { train: `datasets/${code}.run.jsonl`, max_length: 65 } },
        null,
        2,
      );
      writeFileSync(runFile, text);
      const { document } = await show(uri);
      const before = document.getText();
      const found = await waitFor('the run file’s max_length to hold', async () => {
        const asked = await problem(uri, code);
        return asked.message.includes('max_length (65') && asked;
      });
      const { title } = await applyFirst(uri, found);
      const tokens = /^Raise max_length to (\d+) in .+\.tune\.json$/.exec(title)?.[1];
      await problems(uri, 0);
      assert.equal(document.getText(), before);
      assert.equal(readFileSync(runFile, 'utf8'), text.replace('"max_length": 65', `"max_length": ${tokens}`));
      assert.ok(!vscode.workspace.textDocuments.some(({ isDirty, uri }) => isDirty && uri.fsPath === runFile));
      rmSync(runFile);
    });
  }

  it('in_validation: the first fix removes the row from the training file', async () => {
    const rows = [chat('a?', 'b'), chat('c?', 'd'), chat('e?', 'f')];
    const train = dataset('held.train.jsonl', ...rows);
    const valid = dataset('held.valid.jsonl', rows[1]!, chat('g?', 'h'));
    const runFile = workspacePath('held.tune.json');
    const files = { train: 'datasets/held.train.jsonl', validation: 'datasets/held.valid.jsonl' };
    writeFileSync(runFile, JSON.stringify({ model: 'embedded:tiny', method: { peft_type: 'LORA' }, dataset: files }));
    const { document } = await show(train);
    assert.equal((await applyFirst(train, await problem(train, 'in_validation'))).title, 'Delete this row');
    await problems(train, 0);
    assert.deepEqual(document.getText().trimEnd().split('\n'), [rows[0], rows[2]]);
    assert.equal(readFileSync(valid.fsPath, 'utf8').split('\n')[0], rows[1]);
    await document.save();
    rmSync(runFile);
  });

  it('rows that are in both files of a run are found, and removed together', async () => {
    const train = dataset('both.train.jsonl', chat('a?', 'b'), chat('c?', 'd'), chat('e?', 'f'));
    dataset('both.valid.jsonl', chat('c?', 'd'), chat('e?', 'f'), chat('g?', 'h'));
    const runFile = workspacePath('both.tune.json');
    const run = { model: 'embedded:tiny', method: { peft_type: 'LORA' } };
    const files = { train: 'datasets/both.train.jsonl', validation: 'datasets/both.valid.jsonl', max_length: 77 };
    writeFileSync(runFile, JSON.stringify({ ...run, dataset: files }));
    await show(train);
    const [first] = await problems(train, 2);
    assert.match(first!.message, /validation rows must not be trained on/);
    await apply(await fixes(train, first!), 'Remove all 2 rows that are also in the other file');
    await problems(train, 0);
    rmSync(runFile);
  });

  it('the preview opens by command, and by default for Parquet', async () => {
    const activeInput = () => vscode.window.tabGroups.activeTabGroup.activeTab?.input;
    const shows = (viewType: string) =>
      waitFor(`an editor of ${viewType}`, () => {
        const input = activeInput();
        return input instanceof vscode.TabInputCustom && input.viewType === viewType;
      });
    const csv = vscode.Uri.file(workspacePath('datasets', 'facts.csv'));
    await vscode.commands.executeCommand('tunewright.previewDataset', csv);
    await shows('tunewright.datasetPreview');
    const parquet = vscode.Uri.file(workspacePath('datasets', 'facts.parquet'));
    await vscode.commands.executeCommand('vscode.open', parquet);
    await shows('tunewright.parquetPreview');
  });

  it('shows a run that was trained on an older version of the file, after an atomic save', async () => {
    const uri = dataset('outdated.jsonl', chat('a?', 'b'), chat('c?', 'd'));
    const hash = createHash('sha256').update(readFileSync(uri.fsPath)).digest('hex');
    const folder = workspacePath('old-runs', 'outdated-20260101-000000');
    mkdirSync(join(folder, 'checkpoints', 'step-3'), { recursive: true });
    const config = {
      name: 'outdated',
      model: 'embedded:tiny',
      dataset: { train: uri.fsPath },
      method: { peft_type: 'LORA' },
    };
    writeFileSync(join(folder, 'checkpoints', 'step-3', 'state.json'), JSON.stringify({ step: 3, dataset_hash: hash }));
    writeFileSync(join(folder, 'events.ndjson'), '');
    writeFileSync(join(folder, 'run.json'), JSON.stringify(config));
    const { runs } = await activated();
    const settings = vscode.workspace.getConfiguration('tunewright');
    await settings.update('runsFolder', 'old-runs', vscode.ConfigurationTarget.Workspace);
    await waitFor('the run', () => runs.get(folder) !== undefined);
    await show(uri);
    const before = await titles(uri, /2 rows/);
    assert.ok(!before.some(title => title.includes('older')));
    writeFileSync(`${uri.fsPath}.new`, `${chat('a?', 'b')}\n`);
    renameSync(`${uri.fsPath}.new`, uri.fsPath);
    await titles(uri, /1 run trained on an older version/);
    await titles(uri, /· 1 row ·/);
    await settings.update('runsFolder', undefined, vscode.ConfigurationTarget.Workspace);
    rmSync(folder, { recursive: true });
  });
});

describe('corrections', () => {
  const turns = (answer: string) => [
    { role: 'user', content: 'How are you?' },
    { role: 'assistant', content: answer },
  ];

  it('are added in the file’s own form, saved, and taken back by undo', async () => {
    const { corrections } = await activated();
    const before = `[\r\n    ${chat('Hi', 'Hello')}\r\n]\r\n`;
    const path = workspacePath('datasets', 'corrections.json');
    writeFileSync(path, `\ufeff${before}`);
    const uri = vscode.Uri.file(path);
    const { document } = await show(uri);
    const { line, problems: found } = await corrections.appendConversation(uri, turns('Fine'));
    assert.deepEqual({ line, found }, { line: 3, found: [] });
    const row = JSON.stringify({ messages: turns('Fine') });
    assert.equal(readFileSync(path, 'utf8'), `\ufeff[\r\n    ${chat('Hi', 'Hello')},\r\n    ${row}\r\n]\r\n`);
    assert.equal(document.isDirty, false);
    await vscode.commands.executeCommand('undo');
    assert.equal(document.getText(), before);
  });

  it('keep unsaved edits, and say what is wrong with the new row', async () => {
    const { corrections } = await activated();
    const uri = dataset('corrections.jsonl', chat('How are you?', 'Fine'));
    const { document } = await show(uri);
    const edit = new vscode.WorkspaceEdit();
    edit.insert(uri, new vscode.Position(1, 0), `${chat('Unsaved', 'edit')}\n`);
    assert.ok(await vscode.workspace.applyEdit(edit));
    const added = await corrections.appendConversation(uri, turns('Fine'));
    assert.equal(added.line, 3);
    assert.match(added.problems.join(), /same row as in line 1/);
    assert.equal(readFileSync(uri.fsPath, 'utf8'), document.getText());
    assert.match(document.getText(), /Unsaved/);
    await problem(uri, 'duplicate');
  });

  it('of files that can’t hold them are refused', async () => {
    const { corrections } = await activated();
    const stories = dataset('stories.jsonl', JSON.stringify({ text: 'Once' }));
    const wrong = dataset('latin1.csv', 'instruction,output', 'a,b');
    writeFileSync(wrong.fsPath, Buffer.from('instruction,output\ncaf\xe9,b\n', 'latin1'));
    for (const [uri, message] of [
      [stories, /format text can't hold a conversation.*messages/],
      [wrong, /is not UTF-8/],
      [vscode.Uri.file(workspacePath('datasets', 'rows.parquet')), /can’t be edited as text/],
    ] as const)
      await assert.rejects(corrections.appendConversation(uri, turns('Fine')), message);
    assert.equal(readFileSync(stories.fsPath, 'utf8'), '{"text":"Once"}\n');
  });

  it('as pairs make a dataset that is previewed and not trained on', async () => {
    const { corrections } = await activated();
    const uri = dataset('pairs.jsonl');
    const [prompt, answer] = turns('Fine');
    const pair = { prompt: [prompt!], chosen: [answer!], rejected: [{ role: 'assistant', content: 'No' }] };
    const { line } = await corrections.appendPreference(uri, pair);
    assert.equal(line, 1);
    assert.deepEqual(JSON.parse(readFileSync(uri.fsPath, 'utf8')), pair);
    await show(uri);
    const shown = await titles(uri, /Preference pairs · 1 row/);
    assert.match(shown.join(' | '), /not trained on yet/);
    assert.doesNotMatch(shown.join(' | '), /Fine-Tune/);
  });
});
