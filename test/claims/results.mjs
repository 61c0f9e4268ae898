// The results of the claims: what a race folder says, as one JSON file for each race, with a line for each run. The files are committed;
// tables, sentences and pictures follow from them alone.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { importEngineModule } from '../../extension/scripts/embedded/engineModule.mjs';
import { answerOf } from '../bench/ours.mjs';

/**
 * @typedef {object} RunResult
 * @property {string} name of the entry
 * @property {number} seed
 * @property {'finished' | 'failed'} status
 * @property {number | null} parameters trained
 * @property {number | null} loss on the held-out rows, after the last step
 * @property {number | null} score of the suite, from 0 to 1
 * @property {number | null} peakBytes of the process
 * @property {number | null} kl divergence from the base on general text, nats per token
 * @property {number | null} general loss on general text
 *
 * @typedef {object} RaceResults
 * @property {{ loss: number | null, score: number | null, general: number | null }} base without training
 * @property {RunResult[]} runs that have ended
 * @property {string} cpu
 */

const figures = value => (typeof value === 'number' ? Number(value.toPrecision(6)) : null);
const jsonOf = file => JSON.parse(readFileSync(file, 'utf8'));

/**
 * The results of a race so far.
 * @param {string} folder of the race
 * @returns {Promise<{ results: RaceResults, done: string[] }>} done: folders of runs whose weights nothing needs any more
 */
export async function collectRace(folder) {
  const { cpuKind } = await importEngineModule('engine/machine/machine.ts');
  const { entries } = answerOf('race', '--report', folder);
  const base = { loss: null, score: baseScore(folder), general: null };
  const ended = entries.filter(({ status }) => status === 'finished' || status === 'failed');
  const runs = ended.map(run => {
    const isFinished = run.status === 'finished';
    const { peft_type, first, last } = evaluationsOf(run.run);
    // Methods that change nothing before training have evaluated the base; a selection of trained weights is such a method, too.
    if (first?.metrics.kl_from_base === 0) base.general = figures(first.metrics.general_loss);
    if (peft_type === 'FULL' && first) base.loss = figures(first.loss);
    return {
      name: run.name,
      seed: run.seed,
      status: run.status,
      parameters: run.trainable_parameters,
      loss: figures(run.validation_loss),
      score: figures(run.score),
      peakBytes: run.peak_rss_bytes,
      kl: figures(isFinished ? last?.metrics.kl_from_base : null),
      general: figures(isFinished ? last?.metrics.general_loss : null),
    };
  });
  const { suites } = jsonOf(join(folder, 'race.json')).run.dataset;
  const isDone = ({ status, score }) => status === 'finished' && (suites.length === 0 || score !== null);
  return { results: { cpu: cpuKind(), base, runs }, done: entries.filter(isDone).map(({ run }) => run) };
}

/** Deletes the weights of runs: a whole model with its optimizer state takes 2 GB each time. @param {string[]} runs their folders */
export function pruneRuns(runs) {
  for (const run of runs)
    for (const name of ['checkpoints', 'model', 'adapter']) rmSync(join(run, name), { recursive: true, force: true });
}

/** The first and the last evaluation of a run folder. */
function evaluationsOf(run) {
  const file = join(run, 'events.ndjson');
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [];
  const events = lines.map(line => JSON.parse(line));
  const evaluations = events.filter(({ type }) => type === 'evaluated');
  return {
    peft_type: events.find(({ type }) => type === 'started')?.peft_type,
    first: evaluations.find(({ step }) => step === 0),
    last: evaluations.at(-1),
  };
}

/** What the base has answered is kept with the race. */
function baseScore(folder) {
  const kept = join(folder, 'evaluations');
  const [file] = existsSync(kept) ? readdirSync(kept).filter(name => name.endsWith('.json')) : [];
  return file === undefined ? null : figures(jsonOf(join(kept, file)).report.models.base.score);
}

/** @param {string} folder of results @param {string} id @returns {any} null if there is no such file */
export function readResults(folder, id) {
  const file = join(folder, `${id}.json`);
  return existsSync(file) ? jsonOf(file) : null;
}

/** A line for each run, so that a diff shows which are new. @param {string} folder @param {string} id @param {any} results */
export function writeResults(folder, id, { runs, ...rest }) {
  mkdirSync(folder, { recursive: true });
  const head = Object.entries(rest).map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)},\n`);
  const lines = runs.map(run => `    ${JSON.stringify(run)}`).join(',\n');
  writeFileSync(join(folder, `${id}.json`), `{\n${head.join('')}  "runs": [\n${lines}\n  ]\n}\n`);
}

/** The runs that haven't ended. @param {Pick<import('./work.mjs').Race, 'runs' | 'seeds'>} race @param {RaceResults | null} results */
export function missingRuns({ runs, seeds }, results) {
  const has = new Set((results?.runs ?? []).map(keyOf));
  return seeds
    .flatMap(seed => runs.map(run => ({ seed, run })))
    .filter(({ seed, run }) => !has.has(keyOf({ seed, ...run })));
}

const keyOf = ({ name, seed }) => `${seed} ${name}`;

/**
 * What is known, with what a race folder adds: a race folder may hold only a part of the runs.
 * @param {RaceResults | null} known
 * @param {RaceResults} added
 * @returns {RaceResults}
 */
export function mergeResults(known, added) {
  if (known === null) return added;
  const ended = new Set(added.runs.map(keyOf));
  const base = Object.fromEntries(
    Object.entries(added.base).map(([key, value]) => [key, value ?? known.base[key] ?? null]),
  );
  return { ...added, base, runs: [...known.runs.filter(run => !ended.has(keyOf(run))), ...added.runs] };
}

/**
 * The rate with the lowest loss in a race over rates, by its entry.
 * @param {import('./work.mjs').Race} race of rates
 * @param {RaceResults | null} results
 * @param {string} entryName
 * @returns {{ rate: number, isEdge: boolean } | null} isEdge: the lowest or highest that was tried and didn't fail; null before all have been tried
 */
export function tunedRate(race, results, entryName) {
  const tried = race.runs.filter(({ entry }) => entry.name === entryName);
  const own = tried.map(({ name, rate }) => ({ rate, run: results?.runs.find(run => run.name === name) }));
  if (own.length === 0 || own.some(({ run }) => run === undefined)) return null;
  const finished = own.filter(({ run }) => run.loss !== null);
  if (finished.length === 0) return null;
  const best = finished.reduce((a, b) => (b.run.loss < a.run.loss ? b : a));
  return { rate: best.rate, isEdge: best === own[0] || best === own.at(-1) };
}
