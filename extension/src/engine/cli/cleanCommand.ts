// `tunewright clean`: lists what can be deleted with its size, asks, and deletes it. Registered by program.ts; the work is done in
// run/cleanUp.ts.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Argument, type Command } from 'commander';
import { InputError } from '../../core/inputError.js';
import { bytes } from '../../core/units.js';
import { CLEANED, type CleanAnswer, type Cleaned, type Deletable } from '../../protocol/cleanAnswer.js';
import { CLEANED_BY_DEFAULT, deletables, deleteOne } from '../run/cleanUp.js';
import { lineReader, print, printAnswer, printNote } from './print.js';
import { table } from './table.js';

interface CleanFlags {
  runs?: string[];
  only?: string[];
  dryRun?: boolean;
  yes?: boolean;
  json?: boolean;
}

export function registerCleanCommand(program: Command): void {
  program
    .command('clean')
    .description('list old engines, caches, checkpoints and runs with their sizes, and delete them')
    .addArgument(new Argument('[what...]', `by default ${CLEANED_BY_DEFAULT.join(', ')}`).choices(CLEANED))
    .option('--runs <folder...>', 'folders with runs and races (runs and races of the current folder)')
    .option('--only <path...>', 'only these of what is listed')
    .option('--dry-run', 'list, and delete nothing')
    .option('--yes', 'delete without asking')
    .option('--json', 'print one JSON object')
    .action(clean);
}

async function clean(what: Cleaned[], flags: CleanFlags): Promise<void> {
  const { json, dryRun = false, yes = false } = flags;
  const runs = flags.runs ?? ['runs', 'races'].filter(existsSync);
  const listed = await deletables(what.length > 0 ? what : CLEANED_BY_DEFAULT, runs);
  const items = flags.only ? chosen(listed, flags.only) : listed;
  if (!json) print(describe(items));
  const deleted = items.length > 0 && !dryRun && (yes || (!json && (await isConfirmed())));
  if (deleted) for (const item of items) deleteOne(item);
  const total = totalOf(items);
  const answer: CleanAnswer = { type: 'cleaned', items, bytes: total, deleted };
  if (json) printAnswer(answer, json, () => '');
  else if (items.length > 0)
    printNote(
      deleted ? `Deleted ${bytes(total)}.` : 'Nothing was deleted. Use --yes to delete it without being asked.',
    );
}

/** @throws InputError for a path that isn't one of those */
function chosen(items: readonly Deletable[], paths: readonly string[]): Deletable[] {
  return [...new Set(paths.map(path => resolve(path)))].map(path => {
    const item = items.find(each => each.path === path);
    if (item) return item;
    throw new InputError('this is not among what can be deleted', {
      file: path,
      key: '--only',
      hint: 'See with --dry-run what is, and name its kind: runs and models are listed only if they are named.',
    });
  });
}

/** A checkpoint is part of its run. */
function totalOf(items: readonly Deletable[]): number {
  const paths = new Set(items.map(({ path }) => path));
  return items
    .filter(({ path, run }) => run === null || run === path || !paths.has(run))
    .reduce((sum, item) => sum + item.bytes, 0);
}

function describe(items: readonly Deletable[]): string {
  if (items.length === 0) return 'There is nothing to delete.';
  const rows = items.map(({ kind, bytes: size, path, about }) => [kind, bytes(size), path, about]);
  return `${table([['What', 'Size', 'Path', ''], ...rows], [1])}\n\n${bytes(totalOf(items))} in all`;
}

/** False where nobody can answer. */
async function isConfirmed(): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return false;
  const reader = lineReader('Delete all of this? [y/N] ');
  reader.prompt();
  for await (const line of reader) {
    reader.close();
    return /^y(es)?$/i.test(line.trim());
  }
  return false;
}
