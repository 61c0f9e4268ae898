// What `npm run claims` measures: models, tasks, entries of races, grids of learning rates, budgets. Data and the race files made of it,
// nothing else; pure.

/** Race files, data and results are committed in media/claims. Paths are those in the repository. */
const DATA = 'media/claims/data';

/**
 * @typedef {object} Entry
 * @property {string} name
 * @property {string} group what a claim is about: lora-attention, lora-all, soft, other, full
 * @property {Record<string, unknown>} method the method block of a run file
 * @property {number} [rank] of LoRA
 * @property {string} [ratesOf] name of the entry whose tuned rate it takes; by default its own
 * @property {number[]} rates the grid that is tried
 */

/** A rate, one below and two above it, in steps of about the square root of 10. */
const around = rate => [0.3 * rate, rate, 3 * rate, 10 * rate].map(value => Number(value.toPrecision(3)));
const doubled = (from, count) => Array.from({ length: count }, (_, i) => Number((from * 2 ** i).toPrecision(3)));

export const RANKS = [1, 2, 4, 8, 16, 32, 64];
/** The other ranks take the rate of the nearest one. */
const TUNED_RANKS = [1, 8, 64];
const LORA_ALPHA = 16;
const ATTENTION = ['q_proj', 'k_proj', 'v_proj', 'o_proj'];
const TARGETS = { attention: ATTENTION, 'all linear': 'all-linear' };

const nearestTuned = rank =>
  TUNED_RANKS.reduce((best, each) =>
    Math.abs(Math.log2(each / rank)) < Math.abs(Math.log2(best / rank)) ? each : best,
  );

const loraName = (targets, rank) => `LoRA ${targets} r=${rank}`;

function loraEntries(targets, ranks, rates) {
  return ranks.map(rank => ({
    name: loraName(targets, rank),
    group: targets === 'attention' ? 'lora-attention' : 'lora-all',
    rank,
    method: { peft_type: 'LORA', r: rank, lora_alpha: LORA_ALPHA, target_modules: TARGETS[targets] },
    ...(ranks.some(each => TUNED_RANKS.includes(each)) ? { ratesOf: loraName(targets, nearestTuned(rank)) } : {}),
    rates,
  }));
}

const VIRTUAL_TOKENS = 16;
const full = rates => ({ name: 'full fine-tuning', group: 'full', method: { peft_type: 'FULL' }, rates });
const soft = (promptRates, prefixRates, pTuningRates) => [
  {
    name: 'prompt tuning',
    group: 'soft',
    method: { peft_type: 'PROMPT_TUNING', num_virtual_tokens: VIRTUAL_TOKENS, prompt_tuning_init: 'SAMPLE_VOCAB' },
    rates: promptRates,
  },
  {
    name: 'prefix tuning',
    group: 'soft',
    method: { peft_type: 'PREFIX_TUNING', num_virtual_tokens: VIRTUAL_TOKENS },
    rates: prefixRates,
  },
  {
    name: 'p-tuning',
    group: 'soft',
    method: { peft_type: 'P_TUNING', num_virtual_tokens: VIRTUAL_TOKENS },
    rates: pTuningRates,
  },
];
const other = (name, rates, method) => ({ name, group: 'other', method, rates });
const selective = (name, rates, method) => other(name, rates, { peft_type: 'SELECTIVE', ...method });

/** Every method. BitFit is missing: a Llama has no biases. */
const embeddedEntries = [
  full(around(1e-3)),
  ...loraEntries('all linear', RANKS, doubled(2e-3, 4)),
  ...loraEntries('attention', RANKS, doubled(2e-3, 4)),
  ...soft(around(1e-1), around(1e-1), around(1e-2)),
  other('IA3', around(1e-1), { peft_type: 'IA3' }),
  other('LoHa r=8', around(1e-2), { peft_type: 'LOHA', target_modules: 'all-linear' }),
  other('VeRA r=256', around(1e-1), { peft_type: 'VERA', target_modules: 'all-linear' }),
  other('bottleneck, Pfeiffer', around(5e-3), { peft_type: 'BOTTLENECK_ADAPTER' }),
  other('bottleneck, Houlsby', around(5e-3), { peft_type: 'BOTTLENECK_ADAPTER', placement: 'houlsby' }),
  selective('last 2 blocks', around(3e-3), { select: 'last_layers', num_layers: 2 }),
  selective('first 2 blocks', around(3e-3), { select: 'first_layers', num_layers: 2 }),
  selective('norms', around(3e-2), { select: 'norm' }),
  selective('attention weights', around(3e-3), { select: 'pattern', pattern: '.*self_attn.*' }),
];

const smallEntries = [full(around(3e-3)), ...soft(around(1e-1), around(1e-1), around(1e-2))];

/** What five hours allow of the largest model. */
const smolEntries = [
  full([3e-5, 1e-4, 3e-4, 1e-3]),
  ...loraEntries('all linear', [1, 8, 64], around(1e-3)),
  ...loraEntries('attention', [8], around(1e-3)),
  ...soft(around(1e-1), [9e-3, 3e-2, 9e-2], [3e-4, 9e-4, 3e-3, 9e-3]),
  other('IA3', [3e-3, 3e-2, 1e-1], { peft_type: 'IA3' }),
  selective('last 2 blocks', [3e-4, 1e-3, 3e-3], { select: 'last_layers', num_layers: 2 }),
];

/** The entry of each method that is as the run panel proposes it. */
export const usualEntries = entries =>
  entries.filter(({ name, method }, i) =>
    method.peft_type === 'LORA'
      ? name === loraName('all linear', 8)
      : entries.findIndex(each => each.method.peft_type === method.peft_type) === i,
  );

const curves = (fullRates, loraRates) => [full(fullRates), ...loraEntries('all linear', [8], loraRates)];

/**
 * @typedef {object} Model
 * @property {string} id
 * @property {string} title
 * @property {string} reference of a run file
 * @property {boolean} [isMade] by materials.mjs: the reference is a path
 * @property {string | null} generalTexts on which forgetting is measured; null: the bundled texts
 * @property {number} batchSize
 * @property {Entry[]} entries
 * @property {Entry[]} curves whose rates are the points of a curve
 * @property {{ settings: import('./costs.mjs').Costs['settings'], entries: Entry[] }} costs of a training step
 */

/** @type {Model[]} in the order of measuring */
export const models = [
  {
    id: 'embedded',
    title: 'the embedded model (1.75M)',
    reference: 'embedded:tiny',
    generalTexts: `${DATA}/general.text.jsonl`,
    batchSize: 8,
    entries: embeddedEntries,
    curves: curves(doubled(1.25e-4, 7), doubled(1e-3, 7)),
    costs: { settings: { batchSize: 8, length: 128, steps: 12, rounds: 3 }, entries: embeddedEntries },
  },
  {
    id: 'small',
    title: 'the small model (0.4M)',
    reference: 'runs/claims/small/train/model',
    isMade: true,
    generalTexts: `${DATA}/general.text.jsonl`,
    batchSize: 8,
    entries: smallEntries,
    curves: curves(doubled(2.5e-4, 7), doubled(1e-3, 7)),
    costs: { settings: { batchSize: 8, length: 128, steps: 12, rounds: 3 }, entries: smallEntries },
  },
  {
    id: 'smollm2',
    title: 'SmolLM2-135M-Instruct',
    reference: 'smollm2-135m-instruct',
    generalTexts: null,
    batchSize: 4,
    entries: smolEntries,
    curves: curves([1e-5, 3e-5, 1e-4, 3e-4, 1e-3], [1e-4, 3e-4, 1e-3, 3e-3, 1e-2]),
    costs: { settings: { batchSize: 4, length: 128, steps: 6, rounds: 1 }, entries: smolEntries },
  },
];

/**
 * @typedef {object} Task
 * @property {string} id
 * @property {string} title
 * @property {string} train
 * @property {string} validation
 * @property {string} suite
 * @property {number} maxLength
 * @property {number} steps
 */

/** @type {Task[]} */
export const tasks = [
  {
    id: 'codewords',
    title: 'code words',
    train: `${DATA}/codewords.messages.jsonl`,
    validation: `${DATA}/codewords.validation.jsonl`,
    suite: `${DATA}/codewords.eval.jsonl`,
    maxLength: 64,
    steps: 320,
  },
  {
    id: 'pirate',
    title: 'pirate style',
    train: 'media/datasets/pirate.messages.jsonl',
    validation: 'media/datasets/pirate.validation.jsonl',
    suite: 'media/examples/pirate.eval.jsonl',
    maxLength: 128,
    steps: 200,
  },
];

/** Shorter runs of the largest model. */
const SMOL_STEPS = { codewords: 100, pirate: 60 };

/** @param {Model} model @param {Task} task */
export const stepsOf = (model, task) => (model.id === 'smollm2' ? SMOL_STEPS[task.id] : task.steps);

/** How rates are tuned, and with what the results are measured. */
export const TUNING = {
  seed: 0,
  share: 0.1,
  seeds: [1, 2, 3],
  ranks: TUNED_RANKS,
  loraAlpha: LORA_ALPHA,
  virtualTokens: VIRTUAL_TOKENS,
};

/**
 * @typedef {object} Race
 * @property {string} id names its race file, race folder and results
 * @property {'rates' | 'methods' | 'curves'} kind
 * @property {Model} model
 * @property {Task} task
 * @property {number[]} seeds
 * @property {{ entry: Entry, rate: number | null, name: string }[]} runs null: the tuned rate
 */

/**
 * @typedef {object} Plan
 * @property {Model[]} models from the first to be measured to the last
 * @property {Task[]} tasks
 * @property {Race[]} races in the order of running
 */

/** @param {{ models: Model[], tasks: Task[], seeds: (kind: Race['kind'], model: Model) => number[] }} what */
function racesOf({ models, tasks, seeds }) {
  return models.flatMap(model => {
    const rated = entries =>
      entries.flatMap(entry => entry.rates.map(rate => ({ entry, rate, name: `${entry.name} at ${rate}` })));
    const isTuned = ({ name, ratesOf = name }) => ratesOf === name;
    const runs = {
      rates: rated(model.entries.filter(isTuned)),
      methods: model.entries.map(entry => ({ entry, rate: null, name: entry.name })),
      curves: rated(model.curves),
    };
    const kinds = Object.keys(runs).filter(kind => runs[kind].length > 0);
    return tasks.flatMap(task =>
      kinds.map(kind => {
        const id = `${model.id}-${task.id}-${kind}`;
        return { id, kind, model, task, seeds: seeds(kind, model), runs: runs[kind] };
      }),
    );
  });
}

/** @returns {Plan} */
export function plan() {
  const seeds = (kind, { id }) =>
    kind === 'rates' ? [TUNING.seed] : kind === 'curves' && id === 'smollm2' ? TUNING.seeds.slice(0, 1) : TUNING.seeds;
  return { models, tasks, races: racesOf({ models, tasks, seeds }) };
}

/** Everything that is measured, on one task, with two methods and a few steps. @returns {Plan} */
export function smallPlan() {
  const [embedded] = models;
  const entries = embedded.entries
    .filter(({ name }) => ['full fine-tuning', 'LoRA all linear r=8'].includes(name))
    .map(entry => ({ ...entry, rates: entry.rates.slice(1, 3) }));
  const costs = { settings: { ...embedded.costs.settings, steps: 4, rounds: 1 }, entries };
  const model = { ...embedded, entries, curves: [], costs };
  const task = { ...tasks[0], steps: SMALL_STEPS };
  const seeds = kind => (kind === 'rates' ? [TUNING.seed] : TUNING.seeds.slice(0, 1));
  const races = racesOf({ models: [model], tasks: [task], seeds });
  return { models: [model], tasks: [task], races };
}

const SMALL_STEPS = 4;

/**
 * The race file of a race; null as long as a rate that it takes hasn't been tuned.
 * @param {Race} race
 * @param {(entryName: string) => number | null} tunedRate of the same model and task
 * @param {(path: string) => string} from the path of a file of the repository, as the race file has it
 */
export function raceFile({ id, kind, model, task, seeds, runs }, tunedRate, from) {
  const vary = runs.map(({ entry, rate, name }) => ({
    name,
    method: entry.method,
    training: { learning_rate: rate ?? tunedRate(entry.ratesOf ?? entry.name) },
  }));
  if (vary.some(({ training }) => training.learning_rate === null)) return null;
  const steps = stepsOf(model, task);
  return {
    name: id,
    run: {
      name: id,
      model: model.isMade ? from(model.reference) : model.reference,
      dataset: {
        train: from(task.train),
        // Rates are chosen on rows that the results are not measured on.
        validation: kind === 'rates' ? TUNING.share : from(task.validation),
        format: 'messages',
        max_length: task.maxLength,
        packing: false,
        suites: kind === 'methods' ? [from(task.suite)] : [],
      },
      method: { peft_type: 'FULL' },
      training: {
        per_device_train_batch_size: model.batchSize,
        warmup_steps: Math.round(steps / 20),
        eval_steps: steps,
        save_steps: steps,
        save_total_limit: 1,
        load_best_model_at_end: false,
        measure_forgetting: kind === 'methods',
        general_texts: kind === 'methods' && model.generalTexts !== null ? from(model.generalTexts) : null,
      },
      engine: { threads: 1 },
    },
    vary,
    seeds,
    budget: { max_steps: steps },
  };
}

/** The counts of the code-word rows, the seed of their table, and the number of general texts. */
export const data = { seed: 11, counts: { train: 400, validation: 60 }, generalTexts: 8 };
