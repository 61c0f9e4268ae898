// The page docs/measurements/claims.md, its pictures and README's table, from the figures alone. Pure but for the modules of the
// extension that it is handed: the same results give the same page.
import {
  costFigures,
  curveFigures,
  bestRate,
  FULL,
  measuredRates,
  methodFigures,
  missing,
  parametersOf,
} from './figures.mjs';
import { lineChart as drawLines } from './lineChart.mjs';
import * as say from './sentences.mjs';
import { RANKS, stepsOf, TUNING } from './work.mjs';

const { number, percent } = say;
const row = cells => `| ${cells.join(' | ')} |`;
const table = (heading, rows) => [row(heading), row(heading.map(() => '---')), ...rows.map(row)].join('\n');
const megabytes = bytes => `${Math.round(bytes / 1e6).toLocaleString('en-US')} MB`;
/** With more digits where one after the point would be 0. */
const smallShare = share => percent(share, share < 0.0005 ? 3 : 1);
const list = sentences =>
  sentences
    .filter(sentence => sentence !== null)
    .map(sentence => `- ${sentence}`)
    .join('\n');

/** "0.0234 ± 0.0012", with the lowest and the highest in brackets. */
function spread(value, text = number) {
  if (value === null) return '';
  if (value.std === null) return text(value.mean);
  return `${text(value.mean)} (${text(value.min)} to ${text(value.max)})`;
}

/**
 * @param {import('./work.mjs').Plan} plan
 * @param {import('./figures.mjs').Measured} measured
 * @param {object} extension
 * @param {(entries: object[], options: object) => string | null} extension.paretoChart core/race/paretoChart.ts
 * @param {object} extension.svg core/charts/svg.ts
 * @param {(peftType: string, usual: number, parameters: number | null) => number} extension.proposedRate of the run panel
 * @param {Record<string, number>} extension.usualRates for large models, by peft_type
 * @param {string} picturePath path of the pictures as the page names them
 * @returns {{ page: string, summary: string, pictures: Map<string, string> }} summary: the table of README
 */
export function claimsPage(plan, measured, { paretoChart, svg, proposedRate, usualRates }, picturePath) {
  const { models, tasks } = plan;
  const charts = { paretoChart, lineChart: chart => drawLines(chart, svg) };
  const pictures = new Map();
  const picture = (name, alt, drawn) => {
    if (drawn === null) return [];
    pictures.set(`${name}.svg`, drawn);
    return [`![${alt}](${picturePath}/${name}.svg)`];
  };
  const parts = models.flatMap(model =>
    tasks.map(task => ({
      model,
      task,
      ...methodFigures(plan, model, task, measured),
      curves: curveFigures(plan, model, task, measured),
    })),
  );
  const measuredParts = parts.filter(({ methods }) => methods.length > 0);
  const gaps = missing(plan, measured);
  const defaults = model =>
    Object.fromEntries(
      model.curves.map(({ name, method: { peft_type: type } }) => [
        name,
        proposedRate(type, usualRates[type], parametersOf(plan, model, measured)),
      ]),
    );

  const blocks = [
    '# The claims of PEFT, measured here',
    '`npm run claims` repeats all of this: it trains the race files of `media/claims/races`, one process at a time, and writes this page from ' +
      '`media/claims/results`. Nothing on this page is typed by hand, so that each sentence says what the figures say.',
    method(plan, measured),
    gaps.length === 0
      ? 'All of it has been measured.'
      : `**Not measured yet** (runs): ${gaps.map(({ title, runs }) => `${title} (${runs})`).join('; ')}.`,
    '## 1. Fewer parameters, almost as good?',
    'Claimed: LoRA trains 86% fewer parameters at a loss of about 3%; ranks of 4 to 32 are enough; attention layers are often enough. ' +
      '*Of the gain* is the share of what full fine-tuning takes off the base’s held-out loss. A difference whose ranges over seeds ' +
      'overlap is called none.',
    ...measuredParts.flatMap(part => methodsBlock(part, charts, picture)),
    '## 2. Do soft prompts come near as models grow?',
    'Claimed ([Lester et al. 2021](https://arxiv.org/abs/2104.08691)): prompt tuning comes near full fine-tuning with models of billions of ' +
      'parameters. The sizes here end where the paper still has a wide gap: they can show a direction, and not where it ends.',
    ...(tasks.some(task => new Set(models.map(model => stepsOf(model, task))).size > 1)
      ? ['Not all models are trained for as many steps (above), so size is not the only difference between them.']
      : []),
    list(tasks.flatMap(task => softSentences(task, parts).map(sentence => `${task.title}: ${sentence}`))),
    ...tasks.flatMap(task => softPicture(task, parts, charts, picture)),
    '## 3. Memory against inference',
    'Claimed: training takes 12 to 20 times the memory of inference. Measured: the peak (VmHWM) of a training process and of a process that ' +
      'computes the loss of the same batch without gradients. Estimated: the tensors of a step by part, against inference on one ' +
      'sequence of the same length; without the program itself.',
    'Where the claim can come from: in float32, full fine-tuning holds each weight, its gradient and Adam’s two moments, 16 bytes against 4, ' +
      'which is 4 times; with weights of 16 bits for inference and a float32 copy of them for training it is 8 times. The rest are activations ' +
      'and temporary values, which grow with batch and length, and which methods with few trained parameters need, too.',
    ...models.flatMap(model => memoryBlock(model, measured)),
    '## 4. Learning rates',
    'Claimed: the best rate of LoRA is about 10 times that of full fine-tuning.',
    ...parts.flatMap(({ model, task, curves }) => [
      ...[say.ratesApart(curves, defaults(model))]
        .filter(sentence => sentence !== null)
        .map(sentence => `- ${model.title}, ${task.title}: ${sentence}`),
      ...curvePicture(model, task, curves, charts, picture),
    ]),
    'The run panel proposes, by method and size of the model (`core/runs/proposedRate.ts`): the best rates measured here, the geometric mean of ' +
      'the tasks; those of papers and of PEFT’s examples from a billion parameters on; and between two sizes what is on the line between the ' +
      'logarithms of their rates. In brackets: between sizes, as nothing was measured.',
    ratesTable(measuredRates(plan, measured), { proposedRate, usualRates }),
    '## What these figures can’t show',
    limits(plan),
  ];
  return {
    page: `${blocks.filter(text => text !== '').join('\n\n')}\n`,
    summary: summary(plan, parts, measured),
    pictures,
  };
}

function ratesTable(rates, { proposedRate, usualRates }) {
  const measuredSizes = Object.values(rates).flatMap(points => points.map(({ parameters }) => parameters));
  const sizes = [...new Set(measuredSizes), 1e9].sort((a, b) => a - b);
  const rowOf = ([type, usual]) => [
    type,
    ...sizes.map(size => {
      const isKnown = size === sizes.at(-1) || rates[type]?.some(({ parameters }) => parameters === size);
      const rate = proposedRate(type, usual, size);
      return isKnown ? rate : `(${rate})`;
    }),
  ];
  const heading = ['method', ...sizes.map(size => `${Number((size / 1e6).toPrecision(3))}M`)];
  return table(heading, Object.entries(usualRates).map(rowOf));
}

/** What was left out, and what sizes like these can't show. */
function limits({ models }) {
  const most = models.reduce((a, b) => (b.entries.length > a.entries.length ? b : a));
  const names = entries => entries.map(({ name }) => name);
  const leftOut = models.flatMap(({ title, entries }) => {
    const missingNames = names(most.entries).filter(name => !names(entries).includes(name));
    return missingNames.length === 0 ? [] : [`- On ${title}, these were left out: ${missingNames.join(', ')}.`];
  });
  return [
    '- Small models on small tasks: the embedded model knows a world of a few hundred sentences, so that it has more to learn in each of ' +
      'these tasks than a large model has in most.',
    '- BitFit (training the biases) is missing, because these models have none.',
    ...leftOut,
  ].join('\n');
}

function method({ models, tasks }, measured) {
  const cpus = models.flatMap(({ id }) => tasks.map(task => measured.race(`${id}-${task.id}-methods`)?.cpu));
  const budgets = models
    .map(
      model =>
        `${tasks.map(task => `${stepsOf(model, task)} steps (${task.title})`).join(', ')} of ${model.batchSize} rows on ${model.title}`,
    )
    .join('; ');
  const cpu = [...new Set(cpus.filter(name => name !== undefined))].join('; ');
  return (
    `**How.** Two tasks: *code words*, where a secret table of 32 words must be learnt and applied to combinations that no training row has ` +
    `(a suite checks the exact answer), and *pirate style*, the bundled rows, whose suite checks voice and content. Each method’s learning ` +
    `rate is the best of a grid with seed ${TUNING.seed}, by the loss on ${percent(TUNING.share)} of the training rows, held out; ranks ` +
    `${TUNING.ranks.join(', ')} were tuned, and the others take the rate of the nearest. Then seeds ${TUNING.seeds.join(', ')}, the ` +
    `loss and score on rows that neither training nor tuning has seen, with the weights after the last step. All methods have the same ` +
    `rows, batches, steps and schedule (cosine): ${budgets}. LoRA has \`lora_alpha\` ${TUNING.loraAlpha}, soft prompts ${TUNING.virtualTokens} virtual tokens. ` +
    `Forgetting: divergence from the base (KL) and loss on general text, which for the first two models is text of their pretraining ` +
    `grammar. Processor time is of all threads, from a separate pass in rounds of all methods.${cpu === '' ? '' : ` Machine: ${cpu}.`}`
  );
}

function methodsBlock({ model, task, base, methods }, { paretoChart, lineChart }, picture) {
  const full = methods.find(({ name }) => name === FULL);
  const rows = methods.map(each => [
    each.name,
    each.parameters.toLocaleString('en-US'),
    full ? smallShare(each.parameters / full.parameters) : '',
    `${each.rate}${each.isEdge ? ' (edge)' : ''}`,
    spread(each.loss),
    each.gain === null ? '' : percent(each.gain, 1),
    spread(each.score, value => percent(value)),
    each.peakBytes === null ? '' : megabytes(each.peakBytes.mean),
    each.cpuSeconds === null ? '' : `${number(1000 * each.cpuSeconds)} ms`,
    each.kl === null ? '' : number(each.kl.mean),
    each.general === null ? '' : number(each.general.mean),
  ]);
  const failed = methods
    .filter(({ failed: count }) => count > 0)
    .map(({ name, failed: count }) => `${name} (${count})`);
  const entries = methods.map(each => {
    const runs = Array(each.loss.n).fill(null);
    const parameters = { mean: each.parameters, min: each.parameters, max: each.parameters, std: null, n: each.loss.n };
    return { name: each.name, runs, finished: each.loss.n, parameters, loss: each.loss, score: each.score };
  });
  const heading = `${model.title}, ${task.title}`;
  const name = `${model.id}-${task.id}`;
  const line = (series, group) => ({
    name: series,
    points: methods.filter(each => each.group === group).map(({ rank, loss }) => ({ x: rank, ...loss })),
  });
  const ranks = [line('LoRA, all linear', 'lora-all'), line('LoRA, attention only', 'lora-attention')].filter(
    ({ points }) => points.length > 0,
  );
  const own = RANKS.filter(rank => methods.some(each => each.rank === rank));
  const fullLine = full && { name: FULL, points: own.map(x => ({ x, ...full.loss })) };
  const ofBase = [
    ...(base.loss === null ? [] : [`loss ${number(base.loss)}`]),
    ...(base.score === null ? [] : [`score ${percent(base.score)}`]),
    ...(base.general === null ? [] : [`loss on general text ${number(base.general)}`]),
  ];
  return [
    `### ${heading[0].toUpperCase()}${heading.slice(1)}`,
    list([
      say.fewerParameters(methods),
      say.enoughRank(methods, 'lora-all'),
      say.enoughRank(methods, 'lora-attention'),
      say.attentionOrAll(methods),
    ]),
    `The base without training: ${ofBase.join(', ')}.`,
    table(
      [
        'method',
        'trained',
        'of full',
        'rate',
        'held-out loss',
        'of the gain',
        'score',
        'peak memory',
        'a step',
        'KL',
        'general loss',
      ],
      rows,
    ),
    ...(failed.length === 0 ? [] : [`Failed seeds, because the training diverged: ${failed.join(', ')}.`]),
    ...picture(
      `${name}-loss`,
      `${heading}: held-out loss against trained parameters`,
      paretoChart(entries, { quality: 'loss', cost: 'parameters', standalone: true }),
    ),
    ...picture(
      `${name}-score`,
      `${heading}: score against trained parameters`,
      paretoChart(entries, { quality: 'score', cost: 'parameters', standalone: true }),
    ),
    ...picture(
      `${name}-ranks`,
      `${heading}: held-out loss against the rank`,
      lineChart({
        title: `Held-out loss against the rank: ${heading}`,
        xTitle: 'rank',
        xText: String,
        series: [...ranks, ...(full ? [fullLine] : [])],
      }),
    ),
  ];
}

/** Each soft prompt at each size that was measured, from the smallest model to the largest. */
function softGains(task, parts) {
  const names = [
    ...new Set(parts.flatMap(({ methods }) => methods.filter(({ group }) => group === 'soft')).map(({ name }) => name)),
  ];
  return names.map(name => ({
    name,
    sizes: parts
      .filter(part => part.task === task)
      .flatMap(({ model, methods }) => {
        const found = methods.find(each => each.name === name);
        const full = methods.find(each => each.name === FULL);
        return found && found.gain !== null
          ? [{ title: model.title, gain: found.gain, parameters: full.parameters }]
          : [];
      })
      .sort((a, b) => a.parameters - b.parameters),
  }));
}

const softSentences = (task, parts) =>
  softGains(task, parts).flatMap(({ name, sizes }) => say.gapBySize(name, sizes) ?? []);

function softPicture(task, parts, { lineChart }, picture) {
  const series = softGains(task, parts).map(({ name, sizes }) => ({
    name,
    points: sizes.map(({ parameters, gain }) => ({ x: parameters, mean: gain, min: gain, max: gain })),
  }));
  const title = `Share of full fine-tuning’s gain against the model’s parameters: ${task.title}`;
  const xText = value => `${number(value / 1e6)}M`;
  return picture(`soft-${task.id}`, title, lineChart({ title, xTitle: 'parameters of the model', xText, series }));
}

function memoryBlock(model, measured) {
  const costs = costFigures(model, measured);
  if (!costs || costs.methods.length === 0) return [];
  const { batchSize, length } = measured.costs(model.id).settings;
  const rows = costs.methods.map(({ name, peakBytes, cpuSeconds, estimate }) => [
    name,
    megabytes(peakBytes),
    number(peakBytes / costs.inference),
    ...['weights', 'gradients', 'optimizer', 'activations', 'temporary', 'total'].map(part =>
      megabytes(estimate[part]),
    ),
    number(estimate.total / costs.estimatedInference),
    cpuSeconds === null ? '' : `${number(1000 * cpuSeconds)} ms`,
  ]);
  return [
    `### ${model.title[0].toUpperCase()}${model.title.slice(1)}: ${batchSize} sequences of ${length} tokens`,
    say.memoryAgainstInference(costs),
    `Inference: ${megabytes(costs.inference)} measured, ${megabytes(costs.estimatedInference)} estimated for one sequence.`,
    table(
      [
        'method',
        'measured',
        'x inference',
        'weights',
        'gradients',
        'optimizer',
        'activations',
        'temporary',
        'estimated',
        'x inference',
        'a step',
      ],
      rows,
    ),
  ];
}

function curvePicture(model, task, curves, { lineChart }, picture) {
  const series = curves.map(({ name, points }) => ({
    name,
    points: points.filter(({ loss }) => loss !== null).map(({ rate, loss }) => ({ x: rate, ...loss })),
  }));
  if (series.length === 0) return [];
  const title = `Held-out loss against the learning rate: ${model.title}, ${task.title}`;
  return picture(
    `${model.id}-${task.id}-rates`,
    title,
    lineChart({ title, xTitle: 'peak learning rate', xText: String, series, logY: true }),
  );
}

/** README's table: the answers of each model on which most methods were measured. */
function summary(plan, parts, measured) {
  const own = parts.filter(
    ({ model, methods }) => model.id === 'embedded' || methods.some(each => each.group === 'lora-all'),
  );
  const line = (claim, text) => [claim, ...own.map(part => text(part) ?? 'not measured yet')];
  const rows = [
    line('86% fewer parameters, 3.2% worse', ({ methods }) => say.fewerInShort(methods)),
    line('ranks of 4 to 32 are enough', ({ methods }) => say.enoughInShort(methods)),
    line('attention layers are often enough', ({ methods }) => say.attentionInShort(methods)),
    line('soft prompts come near full fine-tuning', ({ methods }) => {
      const soft = methods.filter(({ group, gain }) => group === 'soft' && gain !== null);
      return soft.length === 0
        ? null
        : soft.map(({ name, gain }) => `${name} ${percent(gain)}`).join(', ') + ' of its gain';
    }),
    line('12 to 20 times the memory of inference', ({ model }) => {
      const costs = costFigures(model, measured);
      return costs && costs.methods.length > 0
        ? say.timesRange(costs.methods.map(({ peakBytes }) => peakBytes / costs.inference))
        : null;
    }),
    line('LoRA’s best rate is 10 times that of full fine-tuning', part => ratesInShort(plan, part, measured)),
  ];
  const title = ({ model, task }) => (plan.models.length > 1 ? `${task.title}, ${model.title}` : task.title);
  return table(['claim', ...own.map(title)], rows);
}

/** By the curves, or else by the rates that were tried for the table. */
function ratesInShort(plan, { model, task, curves }, measured) {
  const [full, lora] = model.curves.map(entry => bestRate(plan, model, task, entry, measured));
  if (full === null || lora === null) return null;
  return `${number(lora / full)} times${curves.length === 0 ? ', of few rates that were tried' : ''}`;
}
