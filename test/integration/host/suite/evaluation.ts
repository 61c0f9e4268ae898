// Evaluate on a Dataset in this editor: the engine's figures of a run's result, and of rows that it can't read.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import * as vscode from 'vscode';
import type { EvaluationSession } from '../../../../extension/src/host/webviews/evaluationSession.js';
import { config, phase, waitForRun } from './runs.js';
import { activated, waitFor, workspacePath } from './support.js';

const evaluate = async (...more: unknown[]) =>
  (await vscode.commands.executeCommand('tunewright.evaluateDataset', ...more)) as EvaluationSession;

const ended = (session: EvaluationSession) =>
  waitFor('the evaluation', () => session.state.kind !== 'running' && session.state);

const tabs = () => vscode.window.tabGroups.all.flatMap(group => group.tabs.map(({ label }) => label));

describe('evaluating on a dataset', () => {
  it('gives the figures, worst rows and answers of a result, in a tab of its own', async () => {
    const { runs } = await activated();
    const run = await runs.start(config('evaluated', { max_steps: 2 }));
    await waitForRun(run, 'the run to complete', () => phase(run) === 'completed' && !run.alive);
    const dataset = workspacePath('few.jsonl');
    const chat = (question: string, answer: string) =>
      JSON.stringify({
        messages: [
          { role: 'user', content: question },
          { role: 'assistant', content: answer },
        ],
      });
    writeFileSync(dataset, `${chat('Who are you?', 'A pirate.')}\n${chat('Where do bears sleep?', 'qxz jkv')}\n`);
    const state = await ended(await evaluate(run.folder, { dataset, answers: true }));
    assert.ok(state.kind === 'completed', JSON.stringify(state));
    const { scores, answered, worst } = state.result;
    assert.deepEqual([scores.rows, answered, worst.map(({ line }) => line)], [2, 2, [2, 1]]);
    assert.ok(worst[0]!.loss > worst[1]!.loss && worst[0]!.answer!.expected === 'qxz jkv');
    assert.ok(tabs().includes('evaluated on few.jsonl'), tabs().join(', '));

    writeFileSync(dataset, '{"question": 1}\n');
    const failed = await ended(await evaluate(run.folder, { dataset, answers: false }));
    assert.ok(failed.kind === 'failed', JSON.stringify(failed));
    assert.equal(failed.failure.file, dataset);
    assert.ok(failed.failure.hint);
    await vscode.workspace.fs.delete(vscode.Uri.file(dataset));
  });
});
