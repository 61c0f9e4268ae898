// The run that is proposed for a model, a dataset and a method: one pure function for the palette and for the run panel, so that
// the same choices start the same run, in whatever order they are made.
import type { Row } from '../data/example.js';
import { samplePrompts } from '../data/samplePrompts.js';
import { fileName } from '../fileName.js';
import { proposedRate } from './proposedRate.js';
import { block } from './runFileKeys.js';

/** An incomplete run file. */
type Draft = Readonly<Record<string, unknown>>;
type Block = Readonly<Record<string, unknown>>;

/** A run file without the model and the dataset as long as they aren't chosen. */
export type ProposedRun = {
  name: string;
  model?: string;
  dataset: { train?: string; validation: number; exclude?: string; max_length?: number };
  method: { peft_type: string };
  training: { learning_rate?: number };
  samples?: { prompts: string[] };
  engine?: { precision: 'auto' };
};

/** What the user has chosen so far. */
export interface RunChoice {
  /** Folder, file or ID. */
  model: string | null;
  /** Of the model, for its learning rate; null if they aren't known. The embedded model's are. */
  parameters: number | null;
  dataset: {
    train: string;
    firstRows: readonly Row[];
    /** Its quarantine file, if there is one. */
    exclude?: string | null;
  } | null;
  method: {
    peft_type: string;
    /** From the method's facts, for large models; null: that of the run file's schema. */
    learningRate: number | null;
  };
}

export const EMBEDDED_MODEL_ID = 'embedded:tiny';

/** Share of the rows held out for validation, so that every run shows whether it generalizes. */
const VALIDATION_SHARE = 0.1;
/** Number of sample prompts, answered before, during and after training. */
const SAMPLES = 3;

/** With all linear layers, the loss is lower at every rank: docs/measurements/claims.md. The learning rates there are with this alpha. */
const METHODS: Readonly<Record<string, Block>> = { LORA: { lora_alpha: 16, target_modules: 'all-linear' } };

/** What the embedded model, a hundred times smaller than the models that the defaults are for, does better with. */
const EMBEDDED = {
  parameters: 1_750_240,
  dataset: { max_length: 128 },
  training: { num_train_epochs: 8, per_device_train_batch_size: 8, warmup_steps: 5 },
};

/** Other models multiply in bfloat16 where that is faster on the machine. */
const ENGINE = { precision: 'auto' } as const;

export function proposeRun({ model, parameters, dataset, method }: RunChoice): ProposedRun {
  const { peft_type, learningRate } = method;
  const isEmbedded = model === EMBEDDED_MODEL_ID;
  const prompts = dataset ? samplePrompts(dataset.firstRows, SAMPLES) : [];
  const size = isEmbedded ? EMBEDDED.parameters : parameters;
  return {
    name: proposedName(dataset?.train ?? '', peft_type),
    ...(model === null ? {} : { model }),
    dataset: {
      ...(dataset ? { train: dataset.train } : {}),
      validation: VALIDATION_SHARE,
      ...(dataset?.exclude ? { exclude: dataset.exclude } : {}),
      ...(isEmbedded ? EMBEDDED.dataset : {}),
    },
    method: { peft_type, ...METHODS[peft_type] },
    training: {
      ...(learningRate === null ? {} : { learning_rate: proposedRate(peft_type, learningRate, size) }),
      ...(isEmbedded ? EMBEDDED.training : {}),
    },
    ...(prompts.length > 0 ? { samples: { prompts } } : {}),
    ...(model === null || isEmbedded ? {} : { engine: ENGINE }),
  };
}

/** A run's name: its dataset and its method. */
function proposedName(train: string, peftType: string): string {
  const file = fileName(train);
  return `${file.split('.')[0] || 'run'}-${peftType.toLowerCase().replaceAll('_', '-')}`;
}

const BLOCKS = ['dataset', 'method', 'training', 'samples', 'engine'];

/**
 * The draft after another choice: what was proposed `before` is replaced by what is proposed now, and what the user has set or reset
 * since stays. Options of a method, and columns and quarantine of a dataset, end with it.
 */
export function reproposed(draft: Draft, before: Draft, now: Draft): Draft {
  const changed = (key: string, name: string) => block(before, key)[name] !== block(now, key)[name];
  const ended = (key: string, name: string) =>
    (key === 'method' && changed('method', 'peft_type')) ||
    (key === 'dataset' && ['format', 'columns', 'exclude'].includes(name) && changed('dataset', 'train'));
  const blocks = BLOCKS.map((key): [string, Block] => {
    const [own, old, next] = [block(draft, key), block(before, key), block(now, key)];
    const isOwn = (name: string) => !ended(key, name) && !isEqual(own[name], old[name]);
    const names = [...new Set([...Object.keys(next), ...Object.keys(own)])];
    const values = names.map((name): [string, unknown] => [name, isOwn(name) ? own[name] : next[name]]);
    return [key, Object.fromEntries(values.filter(([, value]) => value !== undefined))];
  });
  const others = Object.entries(draft).filter(([key]) => !BLOCKS.includes(key) && key !== 'model');
  return Object.fromEntries([
    ...others,
    ...('model' in now ? [['model', now['model']] as const] : []),
    ...blocks.filter(([, value]) => Object.keys(value).length > 0),
  ]);
}

export function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
