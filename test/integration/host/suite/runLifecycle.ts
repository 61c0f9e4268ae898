import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { constants, getPriority } from 'node:os';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { currentStep } from '../../../../extension/src/core/runs/runState.js';
import type { ExportSession } from '../../../../extension/src/host/exports/exportSession.js';
import type { Run } from '../../../../extension/src/host/services.js';
import { config, phase, waitForRun } from './runs.js';
import { activated, sleep, waitFor, workspacePath } from './support.js';

describe('a run', () => {
  it('trains to its end and leaves an adapter', async () => {
    const { runs } = await activated();
    const run = await runs.start(config('to-the-end', { max_steps: 6 }));
    assert.ok(run.alive, 'alive as soon as it was started');
    assert.equal(runs.get(run.folder), run);
    await waitForRun(run, 'the run to complete', () => phase(run) === 'completed');
    const state = run.state();
    assert.equal(currentStep(state), 6);
    assert.equal(state.steps.length, 6);
    assert.ok(existsSync(join(run.folder, 'adapter', 'adapter_model.safetensors')));
    const seen = [];
    for await (const event of run.events(0)) seen.push(event.seq);
    assert.deepEqual(seen, [...seen.keys()]);
  });

  it('is served to other programs until its server is stopped', async () => {
    const { runs } = await activated();
    const run = runs.runs().find(({ name }) => name === 'to-the-end')!;
    const url = await vscode.commands.executeCommand<string>('tunewright.serveAdapter', run.folder);
    const { data } = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] };
    assert.ok(
      data.some(({ id }) => id === 'to-the-end'),
      JSON.stringify(data),
    );
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ model: 'to-the-end', messages: [{ role: 'user', content: 'Hello!' }], max_tokens: 3 }),
    });
    const answer = (await response.json()) as { model: string; usage: { completion_tokens: number } };
    assert.equal(answer.model, 'to-the-end');
    assert.ok(answer.usage.completion_tokens >= 1);
    await vscode.commands.executeCommand('tunewright.stopServer');
    await waitFor('the server to end', () =>
      fetch(`${url}/health`).then(
        () => false,
        () => true,
      ),
    );
  });

  it('is shown in a dashboard, alone and with another', async () => {
    const { runs } = await activated();
    const run = runs.runs().find(({ name }) => name === 'to-the-end')!;
    const tab = (label: string) =>
      waitFor(`a tab ${label}`, () => {
        const { activeTab } = vscode.window.tabGroups.activeTabGroup;
        return activeTab?.input instanceof vscode.TabInputWebview && activeTab.label === label;
      });
    await vscode.commands.executeCommand('tunewright.openDashboard', run);
    await tab('to-the-end');
    const second = await runs.start(config('second', { max_steps: 2 }));
    await waitForRun(second, 'the run to complete', () => phase(second) === 'completed' && !second.alive);
    await vscode.commands.executeCommand('tunewright.compareRuns', run, [run, second]);
    await tab('to-the-end and 1 more');
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
  });

  it('is merged, exported and tried', async () => {
    const { runs } = await activated();
    const run = runs.runs().find(({ name }) => name === 'to-the-end')!;
    const home = vscode.Uri.file(workspacePath());
    const merged = await vscode.commands.executeCommand<string>('tunewright.mergeAdapter', run, home);
    assert.equal(merged, workspacePath('to-the-end-merged'));
    assert.ok(existsSync(join(merged, 'model.safetensors')) && existsSync(join(merged, 'config.json')));
    const gguf = await vscode.commands.executeCommand<string>('tunewright.exportAdapter', run, home);
    assert.equal(readFileSync(gguf).toString('latin1', 0, 4), 'GGUF');
    await vscode.commands.executeCommand('tunewright.tryAdapter', run, 'What is a cloud?');
    await vscode.commands.executeCommand('tunewright.tryAdapter', run, 'What is rain?');
    const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
    assert.ok(input instanceof vscode.TabInputTextDiff);
    for (const uri of [input.original, input.modified])
      await waitFor('both answers', async () => {
        const text = (await vscode.workspace.openTextDocument(uri)).getText();
        return /^> What is a cloud\?\n\n.+\n\n> What is rain\?\n\n.+\n$/s.test(text);
      });
    const leftovers = readdirSync(workspacePath()).filter(name => /partial|\.old$/.test(name));
    assert.deepEqual(leftovers, []);
    await vscode.commands.executeCommand('workbench.action.closeActiveEditor');
  });

  it('is exported in the Export view, and the next run again with the same choice', async () => {
    const { runs } = await activated();
    const run = runs.runs().find(({ name }) => name === 'to-the-end')!;
    const first = await vscode.commands.executeCommand<ExportSession>('tunewright.export', run.folder);
    await first.ready;
    await first.start();
    assert.ok(first.state.kind === 'completed', JSON.stringify(first.state));
    const { path, target } = first.state.exported;
    assert.ok(path!.startsWith(join(run.folder, 'exports')), path!);
    assert.equal(readFileSync(path!).toString('latin1', 0, 4), 'GGUF');

    const next = runs.runs().find(each => each.state().completed !== null)!;
    const again = await vscode.commands.executeCommand<ExportSession>('tunewright.exportAgain');
    assert.ok(again.state.kind === 'completed', JSON.stringify(again.state));
    assert.equal(again.state.exported.target, target);
    assert.ok(again.state.exported.path!.startsWith(join(next.folder, 'exports')), again.state.exported.path!);
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
  });

  it('is started by its run file', async () => {
    const { runs } = await activated();
    const uri = vscode.Uri.file(workspacePath('from-file.tune.json'));
    const { dataset, ...rest } = config('from-file', { max_steps: 2 }) as { dataset: object };
    const text = JSON.stringify({ ...rest, dataset: { ...dataset, train: 'datasets/pirate.messages.jsonl' } });
    await vscode.workspace.fs.writeFile(uri, Buffer.from(text));
    const folder = await vscode.commands.executeCommand<string>('tunewright.startRunFile', uri);
    const run = runs.get(folder)!;
    await waitForRun(run, 'the run to complete', () => phase(run) === 'completed');
  });

  it('pauses, continues, stops and is resumed', async () => {
    const { runs } = await activated();
    const run = await runs.start(config('steered', { max_steps: 400, save_steps: 200 }));
    await waitForRun(run, 'steps', () => currentStep(run.state()) > 1);
    const { pid } = JSON.parse(readFileSync(join(run.folder, 'process.json'), 'utf8'));
    assert.equal(getPriority(pid), constants.priority.PRIORITY_BELOW_NORMAL, 'it trains at low priority');
    run.send({ type: 'pause' });
    await waitForRun(run, 'the pause', () => phase(run) === 'paused');
    const at = currentStep(run.state());
    await sleep(600);
    assert.equal(currentStep(run.state()), at, 'no step while paused');
    run.send({ type: 'resume' });
    await waitForRun(run, 'a step after the pause', () => currentStep(run.state()) > at);
    run.send({ type: 'stop' });
    await waitForRun(run, 'the end', () => phase(run) === 'stopped' && !run.alive);
    const stopped = currentStep(run.state());
    await runs.resume(run);
    await waitForRun(run, 'a step after the resume', () => currentStep(run.state()) > stopped);
    run.send({ type: 'stop' });
    await waitForRun(run, 'the end', () => phase(run) === 'stopped' && !run.alive);
  });

  it('that was killed is interrupted, and deleted with its folder', async () => {
    const { runs } = await activated();
    const run = await runs.start(config('killed', { max_steps: 400 }));
    await waitForRun(run, 'steps', () => currentStep(run.state()) > 1);
    const { pid } = JSON.parse(readFileSync(join(run.folder, 'process.json'), 'utf8'));
    process.kill(pid, 'SIGKILL');
    await waitForRun(run, 'its end to be noticed', () => phase(run) === 'interrupted');
    await runs.delete(run);
    assert.ok(!existsSync(run.folder));
    assert.equal(runs.get(run.folder), undefined);
  });

  it('continues training its adapter in a new run, once, after its dataset was edited', async () => {
    const { runs } = await activated();
    const train = workspacePath('datasets', 'watched.jsonl');
    const rows = readFileSync(workspacePath('datasets', 'pirate.messages.jsonl'), 'utf8').split('\n').slice(0, 40);
    writeFileSync(train, `${rows.slice(0, 30).join('\n')}\n`);
    const dataset = { train, max_length: 64, on_change: 'continue' };
    const run = await runs.start({ ...config('watched', { max_steps: 2 }), dataset });
    await waitForRun(run, 'the run to complete', () => phase(run) === 'completed' && !run.alive);
    writeFileSync(`${train}.new`, `${rows.join('\n')}\n`);
    renameSync(`${train}.new`, train);
    const chain = () => runs.runs().filter(({ name }) => name.startsWith('watched'));
    const next = await waitFor('the next run', () => chain().find(({ name }) => name === 'watched v2'));
    await waitForRun(next, 'the run to complete', () => phase(next) === 'completed' && !next.alive);
    assert.equal((next.config as { method: { init_from: string } }).method.init_from, join(run.folder, 'adapter'));
    assert.equal(next.state().started!.dataset_hash, createHash('sha256').update(readFileSync(train)).digest('hex'));
    assert.ok(existsSync(join(next.folder, 'adapter', 'adapter_model.safetensors')));
    await sleep(4_500);
    assert.equal(chain().length, 2, 'no further run without an edit');
  });

  it('with an invalid config fails before the start and says why', async () => {
    const { runs } = await activated();
    const run = await runs.start({ ...config('wrong', {}), dataset: { train: workspacePath('no-such.jsonl') } });
    await waitForRun(run, 'the failure', () => phase(run) === 'failed');
    const { logFile } = run as Run & { logFile: string };
    assert.match(readFileSync(logFile, 'utf8'), /no-such\.jsonl/);
  });
});
