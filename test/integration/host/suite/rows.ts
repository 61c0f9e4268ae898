// Rows by Loss in this editor: the engine's losses of a run's rows, quarantine beside the dataset, and a run without them.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import * as vscode from 'vscode';
import type { DashboardSession } from '../../../../extension/src/host/webviews/dashboardSession.js';
import { config, phase, waitForRun } from './runs.js';
import { activated, waitFor } from './support.js';

describe('rows by loss', () => {
  it('are measured by the engine, and leave the next run by quarantine', async () => {
    const { runs } = await activated();
    const run = await runs.start(config('rows', { max_steps: 2 }));
    await waitForRun(run, 'the run to complete', () => phase(run) === 'completed' && !run.alive);
    const { rows } = await vscode.commands.executeCommand<DashboardSession>('tunewright.rowsByLoss', run.folder);
    const ended = () => waitFor('the losses', () => rows.shown?.progress === null && rows.shown);
    const ranked = await ended();
    assert.equal(ranked.failure, null);
    const [first] = ranked.rows!;
    assert.ok(first!.now !== null && first!.before !== null, JSON.stringify(first));

    rows.list({ folder: run.folder, list: { step: 2 } });
    const ofStep = await ended();
    assert.ok(ofStep.rows!.length > 0 && ofStep.rows!.every(row => row.then !== null && row.now !== null));
    const { hash } = ofStep.rows![0]!;
    const quarantine = `${ofStep.file!}.quarantine`;
    await rows.quarantine(hash, true);
    assert.ok(readFileSync(quarantine, 'utf8').includes(hash));
    await rows.quarantine(hash, false);
    assert.ok(existsSync(quarantine) && !readFileSync(quarantine, 'utf8').includes(hash));
    await vscode.workspace.fs.delete(vscode.Uri.file(quarantine));
  });
});
