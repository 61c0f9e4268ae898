// Whether a model trains faster on the GPU, through WebGPU, or on the CPU with TensorFlow: a training step of one of its layers, measured
// on both and remembered in the cache folder. A name says little: an integrated GPU may be slower than its own processor.
import { join } from 'node:path';
import * as z from 'zod';
import type { GpuAdapter } from '../../protocol/engineStatus.js';
import { makeFolder } from '../../system/makeFolder.js';
import type { Backend } from '../backend/backend.js';
import { openBackend } from '../backend/openBackend.js';
import { ratedMachine } from '../estimate/machineSpeed.js';
import { writeFileAtomically } from '../files/atomicFile.js';
import { readJsonObject } from '../files/jsonFile.js';
import type { ModelFiles } from '../files/tensorSource.js';
import { cacheFolder } from '../install/paths.js';
import { architectureOf } from '../models/registry.js';
import type { Architecture } from '../models/architecture.js';
import { LoraTraining } from './loraTraining.js';
import { randomModel } from './shapedModel.js';

const secondsSchema = z.object({ cpu: z.number().positive(), gpu: z.number().positive() });
const fileSchema = z.record(z.string(), secondsSchema);

export type StepSeconds = z.infer<typeof secondsSchema>;

/** The GPU must be this much faster: what a measurement can't tell apart stays on the CPU, whose memory is larger. */
const MIN_GAIN = 1.2;

/** Of a row; fewer than a run's, so that measuring takes seconds on a slow CPU. */
const TOKENS = 256;

/** Tokens in the vocabulary: the head costs the same share in every model otherwise. */
const VOCABULARY = 8192;

const STEPS = 3;

const FILE = 'device-speed.json';

export interface Choice {
  backend: 'tensorflow' | 'webgpu';
  /** Why, for people. */
  reason: string;
}

/** @param seconds of a step of one layer */
export function chooseBySeconds({ name }: Pick<GpuAdapter, 'name'>, { cpu, gpu }: StepSeconds): Choice {
  const times = `a measured step of one layer takes ${milliseconds(gpu)} on ${name}, ${milliseconds(cpu)} on the CPU`;
  return { backend: cpu >= MIN_GAIN * gpu ? 'webgpu' : 'tensorflow', reason: times };
}

function milliseconds(seconds: number): string {
  return `${(seconds * 1000).toPrecision(3)} ms`;
}

/**
 * Measures once by machine, GPU, driver and shape of the model.
 * @param folder where measurements are remembered
 * @throws CodedError if the GPU fails
 */
export async function fasterDevice(
  files: Pick<ModelFiles, 'config' | 'path'>,
  gpu: GpuAdapter,
  threads: number | null,
  folder = cacheFolder(),
): Promise<Choice> {
  const file = join(folder, FILE);
  const layer = oneLayer(files);
  const key = `${ratedMachine(threads)}; ${gpu.name}, ${gpu.backend}, ${gpu.driver}; ${shapeOf(layer)}`;
  const known = readKnown(file);
  const seconds = known[key] ?? {
    cpu: await stepSeconds(layer, () => openBackend({ backend: 'tensorflow', threads, onWarning: () => {} })),
    gpu: await stepSeconds(layer, () =>
      openBackend({ backend: 'webgpu', adapter: gpu.index, threads, onWarning: () => {} }),
    ),
  };
  if (!known[key]) {
    makeFolder(folder);
    const text = Buffer.from(`${JSON.stringify({ ...known, [key]: seconds }, null, 2)}\n`);
    writeFileAtomically(file, append => append(text));
  }
  return chooseBySeconds(gpu, seconds);
}

/** A damaged file counts as none. */
function readKnown(file: string): z.infer<typeof fileSchema> {
  try {
    return fileSchema.parse(readJsonObject(file));
  } catch {
    return {};
  }
}

/** The model's first layer with a small vocabulary. */
export function oneLayer({ config, path }: Pick<ModelFiles, 'config' | 'path'>): Architecture {
  const { layer_types: types, vocab_size: vocabulary } = config as { layer_types?: unknown[]; vocab_size?: number };
  const changed = {
    ...config,
    num_hidden_layers: 1,
    n_layer: 1,
    vocab_size: Math.min(vocabulary ?? VOCABULARY, VOCABULARY),
    ...(types && { layer_types: types.slice(0, 1) }),
  };
  const known = new Set(Object.keys(config));
  return architectureOf(Object.fromEntries(Object.entries(changed).filter(([key]) => known.has(key))), path);
}

function shapeOf({ modelType, hiddenSize, parameters }: Architecture): string {
  return `${modelType}, ${hiddenSize} wide, ${parameters.map(({ shape }) => shape.join('x')).join(' ')}`;
}

/** The shortest of a few steps, after one that captures. */
async function stepSeconds(layer: Architecture, open: () => Promise<Backend>): Promise<number> {
  await open();
  const model = randomModel(layer, { base_weights: 'float32', precision: 'float32' });
  const training = new LoraTraining(model, { batchSize: 1, tokens: Math.min(TOKENS, layer.maxPositions) });
  try {
    await training.step();
    const times: number[] = [];
    for (let i = 0; i < STEPS; i++) {
      const began = performance.now();
      await training.step();
      times.push(performance.now() - began);
    }
    return Math.min(...times) / 1000;
  } finally {
    training.dispose();
    model.dispose();
  }
}
