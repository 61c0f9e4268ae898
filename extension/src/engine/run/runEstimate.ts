// Estimates a run, and all other methods on the same model, for the `estimate` command and the resident engine. No weight is read,
// and TensorFlow is loaded only to measure the machine's speed for the first time.
import { setImmediate } from 'node:timers/promises';
import { CancelledError } from '../../core/codedError.js';
import type { MemoryParts } from '../../protocol/engineEvent.js';
import type { RunConfig } from '../../protocol/runConfig.js';
import type { EngineConfig, UsedWeights } from '../../protocol/engineConfig.js';
import { compareMethods, type MethodEstimate } from '../estimate/compareMethods.js';
import type { DescribedBase } from '../estimate/describedBase.js';
import { estimateRun, inferenceBytes, type Estimate } from '../estimate/estimateRun.js';
import { secondsPerStep, type MachineSpeed } from '../estimate/machineSpeed.js';
import { PROGRAM_BYTES } from '../estimate/programBytes.js';
import type { ModelFiles } from '../files/tensorSource.js';
import { isFull, type Backend } from '../backend/backend.js';
import { findInstallation } from '../install/installation.js';
import { wantedBackend } from '../../core/wantedBackend.js';
import { reservedMemory } from '../estimate/reservedMemory.js';
import { availableMemoryBytes } from '../machine/processMemory.js';
import { countParameters } from '../models/architecture.js';
import { architectureOfFiles, findTensors, modelWarnings } from '../models/loadModel.js';
import { weightLayouts } from '../models/weightLayouts.js';
import type { AttachedMethod } from '../peft/attachedMethod.js';
import type { PeftMethod } from '../peft/method.js';
import { unmatchedNames } from '../peft/unmatchedNames.js';
import { peftMethods, wholeModelMethod } from '../peft/registry.js';
import { runShape, type RunShape } from '../training/runShape.js';
import { attachMethod } from './attachMethod.js';
import { findModelFiles, tokenizerOf } from './openModel.js';
import type { RunFile } from './readRunFile.js';
import type { Reporter } from './reporter.js';
import { countSteps } from './stepCount.js';
import { usableWeights } from './weightSettings.js';

export interface RunEstimate {
  run: RunFile;
  attached: AttachedMethod;
  shape: RunShape;
  /** Tokens of the longest sequence. */
  sequenceLength: number;
  /** Whether steps run as graphs. */
  captured: boolean;
  own: Estimate;
  others: MethodEstimate[];
  /** Optimizer steps; null if the rows can't be counted. */
  steps: number | null;
  /** null if the machine's speed isn't known. */
  speed: MachineSpeed | null;
  inferenceBytes: number;
  /** null for a run on a cluster. */
  availableBytes: number | null;
  /** Of a cluster; the estimates are then for one of them, with its part of a batch. null: this machine trains. */
  workers: number | null;
}

export interface EstimateOptions {
  reporter: Reporter;
  /** Fail if the model is not on this machine. */
  offline: boolean;
  /** Called if TensorFlow would train; the speed of other backends isn't known. */
  speed(threads: number | null): Promise<MachineSpeed | null>;
  /** If aborted, the estimate ends before the next method. */
  signal?: AbortSignal;
}

/**
 * Lets other work of the process run between two methods.
 * @throws InputError if the run is invalid; CancelledError if `signal` is aborted
 */
export async function runEstimate(run: RunFile, options: EstimateOptions): Promise<RunEstimate> {
  const { reporter, offline, signal } = options;
  const { method, config } = run;
  const files = await findModelFiles(config.model, run.resolvePath('.'), reporter, !offline);
  const workers = config.engine.backend === 'ray' ? config.engine.num_workers : null;
  const backend = await plannedBackend(config.engine);
  const speed = backend.name === 'tensorflow' && workers === null ? await options.speed(config.engine.threads) : null;
  const { architecture, layouts, attached } = await describedRun(run, files, reporter, async () =>
    workers === null
      ? usableWeights(config.engine, {
          ...config.engine,
          backend,
          ...{ method, reporter, speed: async () => speed },
        })
      : { base_weights: 'float32', precision: 'float32' },
  );

  const shape = runShape(config, attached);
  // PyTorch frees what a step needs no more, as a captured graph does.
  const captured = workers !== null || (isFull(backend) && config.engine.compile !== false);
  const { steps, ...counted } = await countSteps(run, tokenizerOf(files), shape, attached.architecture.vocabSize);
  // PyTorch holds no graphs.
  const ofRows = workers === null ? counted : { ...counted, graphs: 1 };
  let done = 0;
  const next = async ({ peftType }: PeftMethod) => {
    await setImmediate();
    if (signal?.aborted) throw new CancelledError();
    reporter.progress('estimate', done++, peftMethods.length, peftType);
  };
  await next(method);
  const part = workerPart(config, workers);
  const ownShape = workers === null ? shape : runShape(part, attached);
  const own = estimateRun({ attached, layouts, captured, shape: ownShape, ...ofRows });
  const otherMethods = peftMethods.filter(other => other !== method);
  const others = await compareMethods(otherMethods, { architecture, layouts }, part, { captured, ...ofRows }, next);
  return {
    run,
    attached,
    shape,
    sequenceLength: ofRows.sequenceLength,
    captured,
    own,
    others,
    steps,
    speed,
    inferenceBytes: inferenceBytes({ architecture, layouts }, ofRows.sequenceLength),
    availableBytes: workers === null ? Math.max(0, availableMemoryBytes() - reservedMemory().bytes) : null,
    workers,
  };
}

/** The run with a worker's part of a batch. */
function workerPart(config: RunConfig, workers: number | null): RunConfig {
  if (workers === null) return config;
  const { per_device_train_batch_size: rows } = config.training;
  return { ...config, training: { ...config.training, per_device_train_batch_size: Math.ceil(rows / workers) } };
}

/** Closes the files. */
async function describedRun(
  run: RunFile,
  files: ModelFiles,
  reporter: Reporter,
  weights: () => Promise<UsedWeights>,
): Promise<DescribedBase & { attached: AttachedMethod }> {
  try {
    const architecture = architectureOfFiles(files);
    const layouts = weightLayouts(architecture, findTensors(files, architecture), await weights());
    for (const { code, message } of modelWarnings(files)) reporter.warn(code, message);
    const { attached, start } = attachMethod(run, architecture, { files, onWarning: reporter.warn });
    start?.close();
    return { architecture, layouts, attached };
  } finally {
    files.close();
  }
}

/** Seconds of an optimizer step; null if the machine's speed isn't known. */
export function secondsOf(estimate: Estimate, { speed, captured }: RunEstimate): number | null {
  return speed && secondsPerStep(estimate, speed, captured);
}

export const MEMORY_PARTS: readonly (keyof MemoryParts)[] = [
  'weights',
  'gradients',
  'optimizer',
  'activations',
  'temporary',
  'total',
];

/** The output of `estimate --json`, without the matrix. */
export function estimateJson(estimate: RunEstimate): Record<string, unknown> {
  const { run, attached, shape, own, others, steps } = estimate;
  const { config, method } = run;
  const { architecture } = attached;
  return {
    model: {
      reference: config.model,
      model_type: architecture.modelType,
      parameters: countParameters(architecture),
    },
    // A saved adapter's names are those of its base, so they aren't checked.
    unmatched: run.initFrom === null ? unmatchedNames(attached) : [],
    batch_size: shape.batchSize,
    max_length: shape.maxLength,
    sequence_length: estimate.sequenceLength,
    run: { peft_type: method.peftType, ...figuresJson(own, estimate) },
    methods: others.map(({ method: { peftType }, estimate: other, reason }) =>
      other ? { peft_type: peftType, ...figuresJson(other, estimate) } : { peft_type: peftType, reason },
    ),
    // The method with which the others are compared.
    baseline: wholeModelMethod.peftType,
    total_steps: steps,
    captured: estimate.captured,
    program_bytes: PROGRAM_BYTES,
    inference_bytes: estimate.inferenceBytes,
    available_bytes: estimate.availableBytes,
    workers: estimate.workers,
  };
}

function figuresJson(figures: Estimate, estimate: RunEstimate): Record<string, unknown> {
  const { steps } = estimate;
  const seconds = secondsOf(figures, estimate);
  return {
    trainable_parameters: figures.trainableParameters,
    total_parameters: figures.totalParameters,
    share: figures.share,
    memory: Object.fromEntries(MEMORY_PARTS.map(part => [part, Math.round(figures.memory[part])])),
    ratio_to_inference: figures.ratioToInference,
    flops_per_step: figures.flopsPerStep,
    seconds_per_step: seconds,
    train_seconds: seconds === null || steps === null ? null : steps * seconds,
  };
}

/** The backend that a run is estimated for: where `auto` would measure, the CPU, which has less speed and more memory. */
async function plannedBackend(engine: EngineConfig): Promise<Pick<Backend, 'name'>> {
  const wanted = wantedBackend(engine);
  if (wanted === 'webgpu' || wanted === 'wasm') return { name: wanted };
  return { name: (await findInstallation()) === null ? 'wasm' : 'tensorflow' };
}
