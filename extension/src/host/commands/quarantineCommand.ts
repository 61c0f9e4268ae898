// Take Rows Out of Quarantine: lists the rows that runs leave out, of a dataset's quarantine file or a run's, and takes back those that the
// user chooses. Rows go into quarantine in the dashboard (webviews/listedRows.ts).
import * as vscode from 'vscode';
import { counted } from '../../core/units.js';
import { quarantinedFile } from '../../protocol/quarantine.js';
import type { QuarantineAnswer } from '../../protocol/rowLosses.js';
import type { FolderRunService } from '../runs/runService.js';
import type { EngineService } from '../services.js';
import { showQuickPick, tellBriefly } from '../window.js';
import { registerGuarded } from './guarded.js';
import { pickRun } from './pickRun.js';

const TITLE = 'Take Rows Out of Quarantine';

export function registerQuarantineCommand(
  engine: Pick<EngineService, 'json'>,
  runs: FolderRunService,
  output: vscode.LogOutputChannel,
): vscode.Disposable {
  return registerGuarded(output, 'tunewright.takeFromQuarantine', async argument => {
    const what =
      argument instanceof vscode.Uri
        ? quarantinedFile(argument.fsPath)
        : (await pickRun(runs, argument, TITLE, () => true))?.folder;
    if (what === undefined) return;
    const { rows } = await engine.json<QuarantineAnswer>(['quarantine', what]);
    if (rows.length === 0) return tellBriefly('info', 'No rows in quarantine');
    const items = rows.map(({ hash, line, lines, text }) => ({
      icon: 'circle-slash',
      label: lines.length > 0 ? `Line ${lines.join(', ')}` : `Line ${line}, edited or removed since`,
      description: text.replace(/\s+/g, ' ').trim(),
      hash,
    }));
    const placeHolder = 'Choose the rows to train on again';
    const picked = await showQuickPick(items, {
      title: TITLE,
      placeHolder,
      matchOnDescription: true,
      canPickMany: true,
    });
    if (!picked || picked.length === 0) return;
    await engine.json(['quarantine', what, '--remove', ...picked.map(({ hash }) => hash)]);
    tellBriefly('discard', `${counted(picked.length, 'row')} out of quarantine`);
  });
}
