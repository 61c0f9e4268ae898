// Runs training on a tiny model in this process, without files for model and rows, for tests of the training loop.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IGNORE_LABEL, type EncodedExample } from '../../extension/src/core/data/example.js';
import { textMetrics } from '../../extension/src/core/evaluation/textMetrics.js';
import { bestMetricOf } from '../../extension/src/core/runs/bestMetric.js';
import { createRng } from '../../extension/src/engine/data/rng.js';
import type { Dataset } from '../../extension/src/engine/data/loadDataset.js';
import type { CausalLm } from '../../extension/src/engine/models/causalLm.js';
import { Adapter } from '../../extension/src/engine/peft/adapter.js';
import { AttachedMethod } from '../../extension/src/engine/peft/attachedMethod.js';
import { peftMethod } from '../../extension/src/engine/peft/registry.js';
import { RunFolder } from '../../extension/src/engine/runFolder/runFolder.js';
import { FORGETTING_METRICS, ForgettingMeter } from '../../extension/src/engine/training/forgetting.js';
import { defaultObjective } from '../../extension/src/engine/training/objectives/registry.js';
import { findResumePoint } from '../../extension/src/engine/training/resumePoint.js';
import { Trainer, type TrainerOptions, type TrainerOutcome } from '../../extension/src/engine/training/trainer.js';
import type { EngineEventBody } from '../../extension/src/protocol/engineEvent.js';
import { runConfigSchema } from '../../extension/src/protocol/runConfig.js';
import { tinyModel } from './tinyModels.js';

/** Rows of token ids as a dataset; every token is a label token. */
export function datasetOf(rows: number[][]): Dataset {
  return {
    file: 'rows.jsonl',
    format: 'tokenized',
    length: rows.length,
    lengthOf: i => rows[i]!.length,
    get: i => ({ inputIds: Int32Array.from(rows[i]!), labels: Int32Array.from(rows[i]!) }),
    sourceOf: i => ({ file: 'rows.jsonl', line: i + 1 }),
    numberOf: i => i,
    excluded: [],
    stats: {
      rows: rows.length,
      tokens: rows.flat().length,
      labelTokens: rows.flat().length - rows.length,
      truncated: 0,
      dropped: 0,
      allMasked: 0,
      bad: 0,
      excluded: 0,
      longest: Math.max(...rows.map(row => row.length)),
      contentHash: JSON.stringify(rows),
    },
    leftOut: [],
    close: () => {},
  };
}

/** Rows for a forgetting meter. */
export function unlabelledFirst(rows: number[][]): EncodedExample[] {
  return rows.map(ids => ({
    inputIds: Int32Array.from(ids),
    labels: Int32Array.from([IGNORE_LABEL, ...ids.slice(1)]),
  }));
}

export function rowSet(rows: number[][]) {
  return { dataset: datasetOf(rows), indices: [...rows.keys()] };
}

/** Rows of 3 to 9 tokens from a vocabulary of 48. */
export function randomRows(count: number, seed = 1): number[][] {
  const rng = createRng(seed);
  return Array.from({ length: count }, () => Array.from({ length: 3 + rng.int(7) }, () => rng.int(48)));
}

export interface TinyRunOptions {
  method?: { peft_type: string } & Record<string, unknown>;
  training?: Record<string, unknown>;
  samples?: Record<string, unknown>;
  train?: number[][];
  validation?: number[][];
  /** Rows on which forgetting is measured. */
  general?: number[][];
  packing?: boolean;
  folder?: RunFolder;
  resume?: boolean;
  /** Capture the step as a graph; only on tensorflow. */
  compile?: boolean;
  /** Changes the model before training. */
  prepare?(model: CausalLm): void;
  onEvent?(event: EngineEventBody): void;
  commands?: TrainerOptions['commands'];
  known?: TrainerOptions['known'];
  /** Metrics of answers, by the number of evaluations of this process before. */
  answerMetrics?(evaluation: number): Record<string, number>;
  signal?: AbortSignal;
}

export interface TinyRunResult {
  outcome: TrainerOutcome | null;
  error: unknown;
  events: EngineEventBody[];
  folder: RunFolder;
  /** Values of the trainable tensors at the end. */
  trained: Map<string, Float32Array>;
  resumedFrom: number;
}

export function eventsOf<T extends EngineEventBody['type']>(
  events: readonly EngineEventBody[],
  type: T,
): Extract<EngineEventBody, { type: T }>[] {
  return events.filter((event): event is Extract<EngineEventBody, { type: T }> => event.type === type);
}

export async function tinyRun(options: TinyRunOptions): Promise<TinyRunResult> {
  const { peft_type: peftType, ...block } = options.method ?? { peft_type: 'LORA' };
  const folder = options.folder ?? RunFolder.create(mkdtempSync(join(tmpdir(), 'tunewright-run-')));
  const config = runConfigSchema.parse({
    model: 'tiny',
    dataset: { train: 'rows.jsonl', packing: options.packing ?? true },
    method: { peft_type: peftType },
    training: options.training,
    samples: options.samples,
  });
  const model = tinyModel('llama');
  const method = peftMethod(peftType)!;
  const rng = createRng(config.training.seed);
  const methodConfig = method.schema.parse(block);
  const adapter = Adapter.attach(new AttachedMethod(method, methodConfig, model.architecture), model, {
    purpose: 'training',
    rng: rng.fork('adapter'),
  });
  options.prepare?.(model);
  const forgetting = options.general
    ? await ForgettingMeter.open(model, unlabelledFirst(options.general), adapter)
    : null;
  adapter.takeOver();
  const events: EngineEventBody[] = [];
  const { answerMetrics } = options;
  let answered = 0;
  const trainer = new Trainer({
    model,
    adapter,
    config,
    rows: {
      train: rowSet(options.train ?? randomRows(12)),
      validation: options.validation ? rowSet(options.validation) : null,
    },
    shape: {
      objective: defaultObjective,
      batchSize: config.training.per_device_train_batch_size,
      maxLength: 16,
      packing: config.dataset.packing,
      virtualTokens: adapter.attached.virtualTokens,
      firstVirtualId: model.architecture.vocabSize,
      gradientAccumulationSteps: config.training.gradient_accumulation_steps,
      gradientCheckpointing: config.training.gradient_checkpointing,
    },
    folder,
    rng,
    emit: event => {
      events.push(event);
      options.onEvent?.(event);
    },
    answer: async prompt => `answer to ${prompt}`,
    compile: options.compile ?? false,
    commands: options.commands ?? (() => []),
    known: options.known,
    forgetting,
    answerMetrics: answerMetrics && (async () => answerMetrics(answered++)),
    bestMetric: bestMetricOf(config.training, [...defaultObjective.metrics, ...FORGETTING_METRICS, ...textMetrics])!,
    signal: options.signal ?? new AbortController().signal,
  });
  let outcome: TrainerOutcome | null = null;
  let error: unknown = null;
  const point = options.resume
    ? findResumePoint(folder, (code, message) => events.push({ type: 'warned', code, message }))
    : null;
  if (point) trainer.resume(point);
  const resumedFrom = point?.step ?? 0;
  try {
    outcome = await trainer.run();
  } catch (thrown) {
    error = thrown;
  }
  const trained = new Map<string, Float32Array>();
  for (const [key, variable] of adapter.variables) trained.set(key, (await variable.data<'float32'>()).slice());
  trainer.dispose();
  forgetting?.dispose();
  adapter.dispose();
  model.dispose();
  return { outcome, error, events, folder, trained, resumedFrom };
}
