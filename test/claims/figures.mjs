// The figures of the claims from the results of races and costs: means and ranges over seeds, and what is compared with full
// fine-tuning. Pure; no figure of the page comes from elsewhere.
import { importEngineModule } from '../../extension/scripts/embedded/engineModule.mjs';
import { median } from '../bench/report.mjs';
import { missingRuns, tunedRate } from './results.mjs';
import { usualEntries } from './work.mjs';

export const FULL = 'full fine-tuning';

/**
 * @typedef {{ mean: number, min: number, max: number, std: number | null, n: number }} Spread as in core/race/raceFigures.ts
 *
 * @typedef {object} MethodFigures an entry over its seeds; null where nothing was measured
 * @property {string} name
 * @property {string} group
 * @property {number | undefined} rank
 * @property {number} rate that was tuned
 * @property {boolean} isEdge the rate is the lowest or highest of its grid
 * @property {number} failed seeds
 * @property {number} parameters trained
 * @property {Spread} loss
 * @property {Spread | null} score
 * @property {number | null} gain share of the loss that full fine-tuning takes off the base's, that this method takes off
 * @property {Spread | null} peakBytes
 * @property {Spread | null} kl
 * @property {Spread | null} general
 * @property {number | null} cpuSeconds of a step, the median of the rounds
 *
 * @typedef {object} Measured
 * @property {(id: string) => import('./results.mjs').RaceResults | null} race
 * @property {(modelId: string) => import('./costs.mjs').Costs | null} costs
 */

const { spreadOf: spreadOfAll } = await importEngineModule('core/race/raceFigures.ts');

/** null if a value is missing: a mean of some seeds would be compared with means of all. @returns {Spread | null} */
export function spreadOf(values) {
  return values.some(value => value === null) ? null : spreadOfAll(values);
}

/** Whether the ranges over seeds have a value in common: then no difference is shown. */
export const overlap = (a, b) => a.min <= b.max && b.min <= a.max;

/** @param {import('./work.mjs').Plan} plan; undefined if it isn't in the plan */
export const raceOf = ({ races }, model, task, kind) =>
  races.find(race => race.model === model && race.task === task && race.kind === kind);

/**
 * The entries of a model and task whose seeds have all ended, in the order of the race, with those of which every seed failed left out.
 * @param {import('./work.mjs').Plan} plan
 * @param {import('./work.mjs').Model} model
 * @param {import('./work.mjs').Task} task
 * @param {Measured} measured
 * @returns {{ base: import('./results.mjs').RaceResults['base'], methods: MethodFigures[] }}
 */
export function methodFigures(plan, model, task, measured) {
  const race = raceOf(plan, model, task, 'methods');
  const rates = raceOf(plan, model, task, 'rates');
  const results = measured.race(race.id);
  const base = results?.base ?? { loss: null, score: null, general: null };
  const costs = measured.costs(model.id)?.runs ?? [];
  const methods = race.runs.flatMap(({ entry, name }) => {
    const runs = (results?.runs ?? []).filter(run => run.name === name);
    const finished = runs.filter(({ status }) => status === 'finished');
    if (runs.length < race.seeds.length || finished.length === 0) return [];
    const spread = key => spreadOf(finished.map(run => run[key]));
    const cpu = costs.flatMap(run => (run.name === name && run.cpuSeconds !== null ? [run.cpuSeconds] : []));
    const { rate, isEdge } = tunedRate(rates, measured.race(rates.id), entry.ratesOf ?? name);
    return [
      {
        ...{ name, group: entry.group, rank: entry.rank, rate, isEdge, failed: runs.length - finished.length },
        ...{ parameters: finished[0].parameters, loss: spread('loss'), score: spread('score') },
        ...{ peakBytes: spread('peakBytes'), kl: spread('kl'), general: spread('general') },
        cpuSeconds: cpu.length === 0 ? null : median(cpu),
      },
    ];
  });
  const full = methods.find(({ name }) => name === FULL);
  const gainOf = ({ loss }) =>
    full && base.loss !== null ? (base.loss - loss.mean) / (base.loss - full.loss.mean) : null;
  return { base, methods: methods.map(method => ({ ...method, gain: gainOf(method) })) };
}

/**
 * Points of a learning-rate curve: entries at each rate, in the order of rates. Rates at which a seed failed have no loss.
 * @returns {{ name: string, points: { rate: number, loss: Spread | null }[] }[]} without entries that aren't measured completely
 */
export function curveFigures(plan, model, task, measured) {
  const race = raceOf(plan, model, task, 'curves');
  const runs = (race && measured.race(race.id)?.runs) ?? [];
  return model.curves.flatMap(({ name }) => {
    const points = race.runs
      .filter(({ entry }) => entry.name === name)
      .map(point => {
        const own = runs.filter(run => run.name === point.name);
        return { rate: point.rate, ended: own.length, loss: spreadOf(own.map(run => run.loss)) };
      });
    return points.every(({ ended }) => ended === race.seeds.length) ? [{ name, points }] : [];
  });
}

/**
 * The best learning rate of each method by the size of the model, for core/runs/measuredRates.json: from the curves where there is one, else as
 * tuned; the geometric mean over tasks.
 * @param {import('./work.mjs').Plan} plan
 * @param {Measured} measured
 * @returns {Record<string, { parameters: number, rate: number }[]>} by peft_type, from the smallest model to the largest
 */
export function measuredRates(plan, measured) {
  const rates = {};
  for (const model of plan.models) {
    const parameters = parametersOf(plan, model, measured);
    if (parameters === null) continue;
    for (const entry of usualEntries(model.entries)) {
      const best = plan.tasks.flatMap(task => bestRate(plan, model, task, entry, measured) ?? []);
      // A rate that is best for one task only isn't proposed for all.
      if (best.length < plan.tasks.length) continue;
      const mean = Math.exp(best.reduce((sum, rate) => sum + Math.log(rate), 0) / best.length);
      (rates[entry.method.peft_type] ??= []).push({ parameters, rate: Number(mean.toPrecision(2)) });
    }
  }
  for (const points of Object.values(rates)) points.sort((a, b) => a.parameters - b.parameters);
  return rates;
}

/** All of them are trained in full fine-tuning. */
export function parametersOf({ races }, model, measured) {
  const runs = races.filter(race => race.model === model).flatMap(({ id }) => measured.race(id)?.runs ?? []);
  return runs.find(({ name, parameters }) => name.startsWith(FULL) && parameters)?.parameters ?? null;
}

/** By the curve if it was measured, else as tuned; null: neither was. */
export function bestRate(plan, model, task, { name }, measured) {
  const curve = curveFigures(plan, model, task, measured).find(each => each.name === name);
  if (curve) return bestPoint(curve)?.rate ?? null;
  const rates = raceOf(plan, model, task, 'rates');
  return tunedRate(rates, measured.race(rates.id), name)?.rate ?? null;
}

/** The point with the lowest mean loss; null if all have failed. */
export function bestPoint({ points }) {
  const finished = points.filter(({ loss }) => loss !== null);
  return finished.length === 0 ? null : finished.reduce((a, b) => (b.loss.mean < a.loss.mean ? b : a));
}

/**
 * Costs by method: medians over rounds.
 * @returns {{ inference: number, estimatedInference: number, methods: { name: string, parameters: number, peakBytes: number,
 *   cpuSeconds: number | null, estimate: Record<string, number> }[] } | null}
 */
export function costFigures(model, measured) {
  const costs = measured.costs(model.id);
  if (!costs || costs.inference.length === 0) return null;
  const names = [...new Set(costs.runs.map(({ name }) => name))];
  const methods = names.map(name => {
    const runs = costs.runs.filter(run => run.name === name);
    const cpu = runs.flatMap(({ cpuSeconds }) => (cpuSeconds === null ? [] : [cpuSeconds]));
    const { parameters, estimate } = runs[0];
    const peakBytes = median(runs.map(run => run.peakBytes));
    return { name, parameters, peakBytes, cpuSeconds: cpu.length === 0 ? null : median(cpu), estimate };
  });
  return { inference: median(costs.inference), estimatedInference: costs.estimate.inferenceBytes, methods };
}

/** What has not been measured yet. @param {import('./work.mjs').Plan} plan @param {Measured} measured @returns {{ title: string, runs: number }[]} */
export function missing({ races, models }, measured) {
  const ofRaces = races.map(race => ({
    title: `${race.model.title}, ${race.task.title}: ${KIND_TITLES[race.kind]}`,
    runs: missingRuns(race, measured.race(race.id)).length,
  }));
  const ofCosts = models.map(({ id, title, costs }) => {
    const known = measured.costs(id);
    const wanted = costs.settings.rounds * (costs.entries.length + 1);
    return {
      title: `${title}: memory and time`,
      runs: wanted - (known ? known.runs.length + known.inference.length : 0),
    };
  });
  return [...ofRaces, ...ofCosts].filter(({ runs }) => runs > 0);
}

const KIND_TITLES = { rates: 'tuning of learning rates', methods: 'methods', curves: 'learning-rate curves' };
