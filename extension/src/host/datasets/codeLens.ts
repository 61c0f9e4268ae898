// The CodeLens above a dataset's first row: format, rows, tokens, share trained on, problems, and actions.
import * as vscode from 'vscode';
import { counted, percent } from '../../core/units.js';
import { lensTitle } from '../window.js';
import { DATASET_SELECTOR, type DocumentDataset, type DocumentDatasets } from './documentDatasets.js';
import type { OutdatedRuns } from './outdatedRuns.js';
import { describeReading } from './readingSettings.js';

export function registerCodeLens(datasets: DocumentDatasets, outdated: OutdatedRuns): vscode.Disposable {
  const changed = new vscode.EventEmitter<void>();
  const provider: vscode.CodeLensProvider = {
    onDidChangeCodeLenses: changed.event,
    provideCodeLenses({ uri }) {
      const wanted = vscode.workspace.getConfiguration('tunewright', uri).get('preview.codeLens', true);
      const dataset = datasets.get(uri);
      return wanted && dataset ? lenses(dataset, outdated.trainedOnOlder(uri.fsPath).length) : [];
    },
  };
  return vscode.Disposable.from(
    changed,
    datasets.onDidChange(() => changed.fire()),
    outdated.onDidChange(() => changed.fire()),
    vscode.languages.registerCodeLensProvider(DATASET_SELECTOR, provider),
  );
}

function lenses({ uri, summary, reading }: DocumentDataset, outdatedRuns: number): vscode.CodeLens[] {
  const lens = (icon: string, text: string, command: string, tooltip: string, args: unknown[] = [uri]) =>
    new vscode.CodeLens(new vscode.Range(0, 0, 0, 0), {
      title: lensTitle(icon, text),
      command,
      tooltip,
      arguments: args,
    });
  const { format, rows, tokens, labelShare, phase, share, exact } = summary;
  const busy = phase !== 'ready' && phase !== 'failed' && phase !== 'stopped';
  const about = exact || busy ? '' : '≈';
  const facts = [format?.title, counted(rows, 'row')];
  if (!busy) {
    const trained = format?.isUntrained ? 'not trained on yet' : `${percent(labelShare)} trained on`;
    facts.push(`${about}${counted(tokens, 'token')}`, trained);
  }
  const found = Object.values(summary.problems).reduce((sum, rowsOfCode) => sum + rowsOfCode, 0);
  const shown = [lens('database', facts.join(' · '), 'tunewright.previewDataset', describeReading(reading))];
  if (busy) shown.push(lens('loading~spin', `${Math.floor(share * 100)}%`, '', 'Counting tokens', []));
  else if (found > 0)
    shown.push(lens('warning', counted(found, 'problem'), 'workbench.actions.view.problems', 'Show Problems', []));
  else shown.push(lens('check', 'No problems', '', format?.isUntrained ? '' : 'All rows can be trained on', []));
  if (outdatedRuns > 0) {
    const text = `${counted(outdatedRuns, 'run')} trained on an older version`;
    shown.push(lens('history', text, 'tunewright.runs.focus', 'The file has changed since. Show the runs', []));
  }
  if (!format?.isUntrained)
    shown.push(lens('rocket', 'Fine-Tune', 'tunewright.fineTuneWithDataset', 'Fine-tune a model with this dataset'));
  shown.push(
    lens('open-preview', 'Preview', 'tunewright.previewDataset', 'Table with search, lengths and rendered rows'),
  );
  return shown;
}
