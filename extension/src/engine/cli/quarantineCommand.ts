// `tunewright quarantine`: which rows of a dataset the runs that name its quarantine file leave out.
import type { Command } from 'commander';
import { InputError } from '../../core/inputError.js';
import { counted } from '../../core/units.js';
import type { QuarantineAnswer } from '../../protocol/rowLosses.js';
import { changeQuarantine, quarantinedDataset, type RowName } from '../run/quarantineRows.js';
import { printAnswer } from './print.js';
import { brief, table } from './table.js';

interface QuarantineFlags {
  add?: string[];
  remove?: string[];
  format: string;
  json?: boolean;
}

export function registerQuarantineCommand(program: Command): void {
  program
    .command('quarantine')
    .description(
      'leave rows of a dataset out of training, without changing it: DATASET.quarantine, for dataset.exclude',
    )
    .argument('<what>', 'dataset, or folder of a run for its training rows')
    .option(
      '--add <rows...>',
      'line numbers, or hashes or their first digits, of rows to leave out; equal rows are left out too',
    )
    .option('--remove <rows...>', 'lines or hashes of rows to train on again')
    .option('--format <name>', 'format of the rows of a dataset', 'auto')
    .option('--json', 'print one JSON object')
    .action(quarantine);
}

async function quarantine(what: string, { add = [], remove = [], format, json }: QuarantineFlags): Promise<void> {
  const change = {
    add: add.map(text => rowName(text, '--add')),
    remove: remove.map(text => rowName(text, '--remove')),
  };
  const answer = await changeQuarantine(quarantinedDataset(what, format), change);
  printAnswer(answer, json, asText);
}

function asText({ file, rows }: QuarantineAnswer): string {
  const cells = rows.map(({ line, lines, text, hash }) => [
    lines.length > 0 ? lines.join(', ') : `${line} (gone)`,
    hash.slice(0, 15),
    brief(text, 60),
  ]);
  const heading = `${counted(rows.length, 'row')} in ${file}`;
  return cells.length === 0 ? heading : `${heading}\n\n${table([['line', 'hash', 'row'], ...cells])}`;
}

/** @throws InputError for anything that isn't a line or a hash */
function rowName(text: string, key: string): RowName {
  if (/^sha256:[0-9a-f]{8,64}$/.test(text)) return { hash: text };
  if (/^[1-9]\d{0,14}$/.test(text)) return { line: Number(text) };
  throw new InputError(`${JSON.stringify(text)} is neither a line nor a hash of a row`, {
    key,
    hint: 'Name lines from 1, or hashes as tunewright rows --json prints them.',
  });
}
