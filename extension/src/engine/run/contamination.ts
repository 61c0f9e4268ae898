// Refuses to evaluate an adapter on rows that it was trained on: such answers say what it has memorised, not what it can do. Called by
// `evaluate` for suites whose rows name the dataset rows that they were made from.
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { SuiteRow } from '../../core/evaluation/suite.js';
import { InputError } from '../../core/inputError.js';
import { readEvents } from '../runFolder/eventLog.js';
import { readRunFile, type RunFile } from './readRunFile.js';
import type { NamedAdapter } from './openSession.js';
import type { Reporter } from './reporter.js';
import { hashedExamples, heldOutLines, trainingFile, type HashedExample } from './trainedRows.js';

const NAMED_ROWS = 5;

/**
 * Also for the runs that the adapter's run was initialized from. An adapter outside a run folder can't be checked; if the training
 * rows of a run are gone or other ones now, a warning says so.
 * @throws InputError that names rows of the suite that the adapter was trained on
 */
export async function checkContamination(
  rows: readonly SuiteRow[],
  { name, path }: NamedAdapter,
  reporter: Reporter,
): Promise<void> {
  const bySource = new Map(rows.flatMap(row => (row.source === null ? [] : [[row.source, row] as const])));
  if (bySource.size === 0) return;
  const seen = new Set<string>();
  for (let folder = runFolderOf(path); folder !== null && !seen.has(folder);) {
    seen.add(folder);
    const run = readRunFile(join(folder, 'run.json'), 'refuse');
    const trained = await trainedAmong(run, hash => bySource.has(hash), reporter, recordedHash(folder));
    if (trained === null)
      reporter.warn(
        'contamination_unknown',
        `whether "${name}" was trained on rows of the suite is unknown: the training rows of ${folder} have changed or are gone`,
      );
    else if (trained.length > 0) throw contaminated(trained, bySource, name);
    folder = run.initFrom === null ? null : runFolderOf(run.resolvePath(run.initFrom));
  }
}

/**
 * The rows with these hashes that a run trains on.
 * @param expected SHA-256 that the training file must have, if it is known
 * @returns null if the file is another one now, or can't be read
 */
export async function trainedAmong(
  run: RunFile,
  wanted: (hash: string) => boolean,
  reporter: Reporter,
  expected?: string,
): Promise<HashedExample[] | null> {
  const { dataset } = run.config;
  let read;
  try {
    read = await hashedExamples(trainingFile(run), dataset, wanted);
  } catch (error) {
    if (error instanceof InputError) return null;
    throw error;
  }
  const { rows, contentHash } = read;
  if (expected !== undefined && contentHash !== expected) return null;
  if (rows.length === 0 || typeof dataset.validation !== 'number') return rows;
  const heldOut = await heldOutLines(run, reporter);
  return rows.filter(({ source }) => !heldOut.has(source.line));
}

/** The folder of the run whose adapter, or whose checkpoint's adapter, this is. */
function runFolderOf(path: string): string | null {
  for (let folder = resolve(path), up = 0; up < 4; folder = dirname(folder), up++)
    if (existsSync(join(folder, 'run.json')) && existsSync(join(folder, 'events.ndjson'))) return folder;
  return null;
}

function recordedHash(folder: string): string | undefined {
  const started = readEvents(join(folder, 'events.ndjson')).find(event => event.type === 'started');
  return started?.dataset_hash;
}

function contaminated(
  trained: readonly HashedExample[],
  bySource: ReadonlyMap<string, SuiteRow>,
  name: string,
): InputError {
  const rows = [...new Map(trained.map(each => [each.hash, each])).values()];
  const places = rows.slice(0, NAMED_ROWS).map(({ hash, source }) => {
    const { at } = bySource.get(hash)!;
    return `line ${at.line} is ${source.file}:${source.line}`;
  });
  const more = rows.length > NAMED_ROWS ? ', ...' : '';
  return new InputError(
    `"${name}" was trained on ${rows.length} of ${bySource.size} rows of the suite: ${places.join(', ')}${more}`,
    {
      ...bySource.get(rows[0]!.hash)!.at,
      key: 'source',
      hint: 'Remove these rows from the suite, or make one of the rows that the run holds out: tunewright suite --run FOLDER',
    },
  );
}
