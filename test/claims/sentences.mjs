// The sentences of the claims' page and of README: each says what the figures say, whatever that is, and how sure they are. Pure.
import { bestPoint, FULL, overlap } from './figures.mjs';

/** What is claimed of LoRA: this share fewer parameters, at a loss this much worse. */
const CLAIMED = { fewer: 0.86, worse: 0.032 };

export const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)}%`;
export const number = value => (Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3))));
const times = value => `${number(value)} times`;

/** "1.5 to 3 times", or one value. @param {number[]} values */
export function timesRange(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)].map(number);
  return low === high ? `${low} times` : `${low} to ${high} times`;
}

/** "12% lower", "3% higher", "the same". */
export function compared(value, with_) {
  const change = value / with_ - 1;
  if (Math.abs(change) < 0.0005) return 'the same';
  const digits = Math.abs(change) < 0.1 ? 1 : 0;
  return `${percent(Math.abs(change), digits)} ${change > 0 ? 'higher' : 'lower'}`;
}

/** A difference over seeds: their ranges have no value in common, or none is shown. */
export function ordered(a, b) {
  if (overlap(a, b)) return 'same';
  return a.mean < b.mean ? 'lower' : 'higher';
}

const scores = (method, full) =>
  method.score && full.score
    ? ` It scores ${percent(method.score.mean)}, full fine-tuning ${percent(full.score.mean)}.`
    : '';

/** The best LoRA with as few parameters as is claimed, beside full fine-tuning; null before both are measured. */
function bestSmallLora(methods) {
  const full = methods.find(({ name }) => name === FULL);
  const small = methods.filter(
    ({ rank, parameters }) => full && rank !== undefined && parameters <= (1 - CLAIMED.fewer) * full.parameters,
  );
  if (small.length === 0) return null;
  const best = small.reduce((a, b) => (b.loss.mean < a.loss.mean ? b : a));
  return { best, full, fewer: percent(1 - best.parameters / full.parameters, 1) };
}

/** Is "86% fewer parameters, 3.2% worse" what one sees? @param {import('./figures.mjs').MethodFigures[]} methods */
export function fewerParameters(methods) {
  const found = bestSmallLora(methods);
  if (!found) return null;
  const { best, full, fewer } = found;
  const within = best.loss.mean <= (1 + CLAIMED.worse) * full.loss.mean;
  return (
    `${best.name} is the best LoRA with at least ${percent(CLAIMED.fewer)} fewer trained parameters (${fewer} fewer): its loss is ` +
    `${number(best.loss.mean)} against ${number(full.loss.mean)} with full fine-tuning, ` +
    `${compared(best.loss.mean, full.loss.mean)}, which is ${within ? 'within' : 'not within'} the claimed ${percent(CLAIMED.worse, 1)}` +
    `${best.gain === null ? '' : `; ${percent(best.gain, 1)} of what full fine-tuning takes off the base’s loss`}.${scores(best, full)}`
  );
}

export function fewerInShort(methods) {
  const found = bestSmallLora(methods);
  if (!found) return null;
  const { best, full, fewer } = found;
  const score =
    best.score && full.score ? `, score ${percent(best.score.mean)} against ${percent(full.score.mean)}` : '';
  return `${best.name}: ${fewer} fewer, loss ${compared(best.loss.mean, full.loss.mean)}${score}`;
}

/** The ranks of LoRA with some targets, the best and the lowest that shows no difference from it; null before two are measured. */
function rankFigures(methods, group) {
  const ranks = methods.filter(method => method.group === group).sort((a, b) => a.rank - b.rank);
  if (ranks.length < 2) return null;
  const best = ranks.reduce((a, b) => (b.loss.mean < a.loss.mean ? b : a));
  return { first: ranks[0], best, enough: ranks.find(({ loss }) => overlap(loss, best.loss)) };
}

/** Which rank is enough? @param {import('./figures.mjs').MethodFigures[]} methods @param {string} group */
export function enoughRank(methods, group) {
  const found = rankFigures(methods, group);
  if (!found) return null;
  const { first, best, enough } = found;
  const loss = `has the lowest loss (${number(best.loss.mean)})`;
  if (best === first) return `With ${TARGETS[group]}, r = ${best.rank}, the lowest, ${loss}.`;
  const shown =
    enough === best ? 'all lower ranks are worse' : `r = ${enough.rank} is the lowest without a difference from it`;
  return `With ${TARGETS[group]}, r = ${best.rank} ${loss}, and ${shown}; r = ${first.rank} has ${number(first.loss.mean)}.`;
}

const TARGETS = { 'lora-all': 'all linear layers', 'lora-attention': 'attention only' };

export function enoughInShort(methods) {
  const shown = Object.entries(TARGETS).flatMap(([group, targets]) => {
    const found = rankFigures(methods, group);
    return found ? [`${found.enough.rank} with ${targets}`] : [];
  });
  return shown.length === 0 ? null : shown.join(', ');
}

/** LoRA with attention only against all linear layers: outcomes by seeds' ranges, at the same rank and at about the same size. */
function targetOutcomes(methods) {
  const all = methods.filter(({ group }) => group === 'lora-all');
  const attention = methods.filter(({ group }) => group === 'lora-attention');
  const sameRank = attention.flatMap(each => {
    const other = all.find(({ rank }) => rank === each.rank);
    return other ? [ordered(each.loss, other.loss)] : [];
  });
  if (sameRank.length === 0) return null;
  const sameSize = attention.flatMap(each => {
    const nearest = all.reduce((a, b) => (distance(b, each) < distance(a, each) ? b : a));
    return distance(nearest, each) <= Math.log(SAME_SIZE) ? [ordered(each.loss, nearest.loss)] : [];
  });
  return { sameRank, sameSize };
}

/** Sizes up to this factor apart are compared. */
const SAME_SIZE = 1.5;

const counted = (outcomes, outcome) => outcomes.filter(each => each === outcome).length;

/** Are attention layers enough? @param {import('./figures.mjs').MethodFigures[]} methods */
export function attentionOrAll(methods) {
  const found = targetOutcomes(methods);
  if (!found) return null;
  const said = outcomes =>
    `higher in ${counted(outcomes, 'higher')} of ${outcomes.length}, lower in ${counted(outcomes, 'lower')}, without a difference in ${counted(outcomes, 'same')}`;
  const { sameRank, sameSize } = found;
  return (
    `At the same rank, the loss with attention only, compared with all linear layers, is ${said(sameRank)}` +
    `${sameSize.length === 0 ? '' : `; at about the same number of trained parameters, ${said(sameSize)}`}.`
  );
}

export function attentionInShort(methods) {
  const found = targetOutcomes(methods);
  return (
    found &&
    `loss higher than with all linear layers at ${counted(found.sameRank, 'higher')} of ${found.sameRank.length} ranks`
  );
}

const distance = (a, b) => Math.abs(Math.log(a.parameters / b.parameters));

/**
 * Does the gap of a soft prompt shrink as the model grows?
 * @param {string} name @param {{ title: string, gain: number }[]} sizes from the smallest model to the largest
 */
export function gapBySize(name, sizes) {
  if (sizes.length < 2) return null;
  const gains = sizes.map(({ gain }) => gain);
  const rises = gains.slice(1).every((gain, i) => gain > gains[i]);
  const falls = gains.slice(1).every((gain, i) => gain < gains[i]);
  const listed = sizes.map(({ title, gain }) => `${percent(gain)} with ${title}`).join(', ');
  const verdict = rises
    ? 'the gap shrinks with every size'
    : falls
      ? 'the gap grows with every size'
      : 'the gap neither only shrinks nor only grows';
  return `${name} reaches ${listed} of full fine-tuning’s gain: ${verdict}.`;
}

/** How many times inference? @param {NonNullable<ReturnType<typeof import('./figures.mjs').costFigures>>} costs */
export function memoryAgainstInference({ inference, estimatedInference, methods }) {
  if (methods.length === 0) return null;
  const measured = methods.map(({ peakBytes }) => peakBytes / inference);
  const tensors = methods.map(({ estimate }) => estimate.total / estimatedInference);
  const full = methods.find(({ name }) => name === FULL);
  const parts = ({ estimate: { total, ...rest } }) =>
    Object.entries(rest)
      .sort(([, a], [, b]) => b - a)
      .map(([part, bytes]) => `${part} ${percent(bytes / total)}`)
      .join(', ');
  return (
    `A training process takes ${timesRange(measured)} the memory of a process that computes the loss of the same batch. ` +
    `By the estimate, which leaves out the program itself, the tensors of a step are ${timesRange(tensors)} those of inference on one sequence.` +
    (full ? ` Of those of full fine-tuning: ${parts(full)}.` : '')
  );
}

/**
 * How far apart are the best rates?
 * @param {ReturnType<typeof import('./figures.mjs').curveFigures>} curves
 * @param {Record<string, number>} defaults of the run panel, by entry
 */
export function ratesApart(curves, defaults) {
  const best = curves.map(curve => ({ curve, point: bestPoint(curve) })).filter(({ point }) => point !== null);
  const full = best.find(({ curve }) => curve.name === FULL);
  const lora = best.find(({ curve }) => curve.name !== FULL);
  if (!full || !lora) return null;
  const of = ({ curve: { name, points }, point }) => {
    const edge = point === points[0] || point === points.at(-1) ? ', at the edge of what was tried' : '';
    const near = points.reduce((a, b) =>
      Math.abs(Math.log(b.rate / defaults[name])) < Math.abs(Math.log(a.rate / defaults[name])) ? b : a,
    );
    const atDefault = near.loss
      ? `${number(near.loss.mean)} at ${near.rate}`
      : `none at ${near.rate}, where a seed fails`;
    return `${name} is best at ${point.rate}${edge} (loss ${number(point.loss.mean)}); at the point nearest to the run panel’s ${defaults[name]} it has ${atDefault}`;
  };
  return `${of(full)}. ${of(lora)}. The best rate of LoRA is ${times(lora.point.rate / full.point.rate)} that of full fine-tuning.`;
}
