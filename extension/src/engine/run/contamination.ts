// Refuses to evaluate an adapter on rows that it was trained on, and to train on rows of a suite that is to judge the result: such
// answers say what is memorised, not what can be done. For suites whose rows name the dataset rows that they were made from; called by
// `evaluate` and before a run.
import { join } from 'node:path';
import { describeSource } from '../../core/data/example.js';
import type { SuiteRow } from '../../core/evaluation/suite.js';
import { InputError } from '../../core/inputError.js';
import { counted } from '../../core/units.js';
import { readSuite } from '../data/readSuite.js';
import { runFolderOf } from '../runFolder/runFolder.js';
import type { RowSet } from '../training/stepPlan.js';
import { readRunFile, type RunFile } from './readRunFile.js';
import type { NamedAdapter } from './openSession.js';
import type { Reporter } from './reporter.js';
import {
  hashedExamples,
  numbersOf,
  recordedHashes,
  trainedAndHeldOut,
  trainingFile,
  type HashedExample,
  type HashedRows,
  type ModelPlace,
} from './trainedRows.js';

const NAMED_ROWS = 5;

/**
 * Also for the runs that the adapter's run was initialized from. A warning says what can't be checked: an adapter outside a run
 * folder, or a run whose training rows are gone or other ones now.
 * @param tested an adapter, or the base itself, which a run may have trained
 * @param model the base
 * @throws InputError that names rows of the suite that the adapter was trained on
 */
export async function checkContamination(
  rows: readonly SuiteRow[],
  { name, path }: NamedAdapter,
  model: string,
  reporter: Reporter,
): Promise<void> {
  const suite = bySource(rows);
  if (suite.size === 0) return;
  const place = { reference: model, folder: '.' };
  const unknown = (why: string) =>
    reporter.warn('contamination_unknown', `whether "${name}" was trained on rows of the suite is unknown${why}`);
  const seen = new Set<string>();
  for (let result: string | null = path; result !== null;) {
    const folder = runFolderOf(result);
    // Most models come from elsewhere.
    if (folder === null && result !== model) unknown(`: ${result} is not in the folder of the run that wrote it`);
    if (folder === null || seen.has(folder)) return;
    seen.add(folder);
    const run = readRunFile(join(folder, 'run.json'), 'refuse');
    const found = await trainedBefore(run, folder, hash => suite.has(hash), place, reporter);
    if (found instanceof InputError) unknown(`, by its run ${folder}: ${found.message}`);
    else if (found.length > 0)
      throw contaminated(found, suite, `"${name}" was trained on`, {
        key: 'source',
        hint: 'Remove these rows from the suite, or make one of rows that the run holds out: tunewright suite --run FOLDER',
      });
    result = run.initFrom === null ? null : run.resolvePath(run.initFrom);
  }
}

/** @returns why that can't be told any more; or the rows with these hashes that a run of the past was trained on */
async function trainedBefore(
  run: RunFile,
  folder: string,
  wanted: (hash: string) => boolean,
  model: ModelPlace,
  reporter: Reporter,
): Promise<HashedExample[] | InputError> {
  try {
    const { rows, contentHash } = await trainedAmong(run, wanted, model, reporter);
    const recorded = recordedHashes(folder);
    const isKnown = recorded.every(hash => hash === contentHash);
    const wasTrainedOn = recorded.includes(contentHash) && rows.length > 0;
    return isKnown || wasTrainedOn ? rows : new InputError('its training rows have changed');
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
}

/**
 * Checks the suites that the run file names.
 * @param train the rows that the run trains on
 * @throws InputError that names rows of a suite that are among them
 */
export async function checkSuites(run: RunFile, train: RowSet): Promise<void> {
  const { suites } = run.config.dataset;
  if (suites.length === 0) return;
  const numbers = numbersOf(train);
  const bySuite = await Promise.all(suites.map(async path => bySource(await readSuite(run.resolvePath(path)))));
  const isNamed = (hash: string) => bySuite.some(suite => suite.has(hash));
  const { rows } = await hashedExamples(train.dataset.file, run.config.dataset, isNamed);
  const named = rows.filter(({ number }) => numbers.has(number));
  for (const suite of bySuite) {
    const trained = named.filter(({ hash }) => suite.has(hash));
    if (trained.length > 0)
      throw contaminated(trained, suite, 'the run would train on', {
        key: 'dataset.suites',
        hint: 'Remove these rows from the training data, or hold them out with the share and seed that the suite was made with.',
      });
  }
}

/** Those rows of a suite that name the dataset row that they were made from. */
function bySource(rows: readonly SuiteRow[]): Map<string, SuiteRow> {
  return new Map(rows.flatMap(row => (row.source === null ? [] : [[row.source, row] as const])));
}

/** The rows with these hashes that a run trains on. @throws InputError if its training file or its model can't be read */
export async function trainedAmong(
  run: RunFile,
  wanted: (hash: string) => boolean,
  model: ModelPlace,
  reporter: Reporter,
): Promise<HashedRows> {
  const { rows, contentHash } = await hashedExamples(trainingFile(run), run.config.dataset, wanted);
  // Most suites have none, which is known without a tokenizer.
  if (rows.length === 0) return { rows, contentHash };
  const { trained } = await trainedAndHeldOut(run, model, reporter);
  return { rows: rows.filter(({ number }) => trained.has(number)), contentHash };
}

function contaminated(
  trained: readonly HashedExample[],
  suite: ReadonlyMap<string, SuiteRow>,
  what: string,
  about: { key: string; hint: string },
): InputError {
  const rows = [...new Map(trained.map(each => [each.hash, each])).values()];
  const places = rows
    .slice(0, NAMED_ROWS)
    .map(({ hash, source }) => `line ${suite.get(hash)!.at.line} is ${describeSource(source)}`);
  const more = rows.length > NAMED_ROWS ? ', ...' : '';
  const message = `${what} ${rows.length} of ${counted(suite.size, 'row')} of the suite: ${places.join(', ')}${more}`;
  return new InputError(message, { ...suite.get(rows[0]!.hash)!.at, ...about });
}
