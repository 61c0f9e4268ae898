// Evaluation suites in the Test Explorer of this editor: its items, and rows answered by the embedded model and by an adapter.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { config, phase, waitForRun } from './runs.js';
import { activated, waitFor, workspacePath } from './support.js';

const suite = workspacePath('examples', 'pirate.eval.jsonl');

/** What runs are told meanwhile, as `failed ID`, and the messages of failures. */
async function recorded(controller: vscode.TestController, act: () => PromiseLike<unknown>) {
  const said: string[] = [];
  const messages: vscode.TestMessage[] = [];
  let output = '';
  const create = controller.createTestRun.bind(controller);
  controller.createTestRun = (request, name, persist) => {
    const run = create(request, name, persist);
    const { passed, failed, errored, end, appendOutput } = run;
    const told = Object.create(run) as vscode.TestRun;
    said.push(`run ${name}`);
    told.passed = (test, duration) => {
      said.push(`passed ${test.id}`);
      passed.call(run, test, duration);
    };
    told.failed = (test, message, duration) => {
      said.push(`failed ${test.id}`);
      messages.push(...[message].flat());
      failed.call(run, test, message, duration);
    };
    told.errored = (test, message, duration) => {
      said.push(`errored ${test.id}: ${String([message].flat()[0]?.message)}`);
      errored.call(run, test, message, duration);
    };
    told.end = () => end.call(run);
    told.appendOutput = (text, ...more) => {
      output += text;
      appendOutput.call(run, text, ...more);
    };
    return told;
  };
  try {
    await act();
  } finally {
    controller.createTestRun = create;
  }
  return { said, messages, output };
}

describe('evaluation suites', () => {
  it('are files with rows in the Test Explorer, as the editor has them', async () => {
    const { controller } = (await activated()).suiteTests;
    await vscode.window.showTextDocument(vscode.Uri.file(suite));
    const file = await waitFor('the rows', () => {
      const item = controller.items.get(vscode.Uri.file(suite).toString());
      return item && item.children.size > 0 && item;
    });
    assert.equal(file.children.size, 40);
    assert.equal([...file.children][2]![1].range?.start.line, 2);
  });

  it('have problems at wrong rows', async () => {
    const wrong = workspacePath('wrong.eval.jsonl');
    const row = '{"prompt": "a", "expected": "b", "checks": [{"type": "exat"}]}';
    writeFileSync(wrong, `${row}\n`);
    const uri = vscode.Uri.file(wrong);
    await vscode.window.showTextDocument(uri);
    const [problem] = await waitFor('its problem', () => {
      const found = vscode.languages.getDiagnostics(uri);
      return found.length > 0 && found;
    });
    assert.match(problem!.message, /unknown check "exat".*exact/);
    assert.equal(problem!.range.start.character, row.indexOf('"exat"'));
    await vscode.workspace.fs.delete(uri);
  });

  it('are answered by the base, and by an adapter whose report stays with its run', async () => {
    const { runs, suiteTests, context } = await activated();
    const plain = config('judged', { max_steps: 2 }) as { dataset: object };
    const run = await runs.start({ ...plain, dataset: { ...plain.dataset, suites: [suite] } });
    await waitForRun(run, 'the run to complete', () => phase(run) === 'completed' && !run.alive);
    await context.workspaceState.update('tunewright.testedModels', [{ run: run.folder, step: null }]);
    const { controller, profiles } = suiteTests;
    const file = controller.items.get(vscode.Uri.file(suite).toString())!;
    const rows = [...file.children].map(([, row]) => row);
    const { token } = new vscode.CancellationTokenSource();
    const some = new vscode.TestRunRequest(rows.slice(0, 3), undefined, profiles.base);
    const base = await recorded(controller, async () => profiles.base.runHandler(some, token));
    assert.equal(base.said[0], `run base (${process.env['TUNEWRIGHT_TEST_MODEL'] ?? 'embedded:tiny'})`);
    assert.deepEqual(
      new Set(base.said.slice(1).map(text => text.replace(/^(passed|failed) /, ''))),
      new Set(rows.slice(0, 3).map(({ id }) => id)),
    );
    assert.ok(base.messages.length > 0);
    assert.match(base.messages[0]!.expectedOutput!, /^Arr, /);
    assert.ok(base.messages[0]!.actualOutput);
    const whole = new vscode.TestRunRequest([file], undefined, profiles.chosen);
    const adapter = await recorded(controller, async () => profiles.chosen.runHandler(whole, token));
    assert.equal(adapter.said[0], 'run judged');
    assert.equal(adapter.said.filter(text => /^(passed|failed) /.test(text)).length, 40, adapter.said.join('\n'));
    const folder = join(run.folder, 'evaluations');
    const kept = readdirSync(folder).map(name => JSON.parse(readFileSync(join(folder, name), 'utf8')));
    assert.deepEqual(
      kept.map(({ suite: { file: path }, report }) => [path, report.models.result.total]),
      [[suite, 40]],
    );
    assert.doesNotMatch(adapter.output, / against /);
    const wholeBase = new vscode.TestRunRequest([file], undefined, profiles.base);
    const { output } = await recorded(controller, async () => profiles.base.runHandler(wholeBase, token));
    assert.match(
      output,
      /^judged against base: \d+ wins?, \d+ loss(es)?, \d+ ties? \(p = [\d.e-]+\); score .* at 95%: .+\r$/m,
    );
  });
});
