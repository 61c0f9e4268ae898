// Reads a pretrained model's weights into tensors, one at a time, after checking every name and shape.
import type * as tf from '@tensorflow/tfjs-core';
import { resolve } from 'node:path';
import { InputError } from '../../core/inputError.js';
import type { UsedWeights } from '../../protocol/engineConfig.js';
import { piecesOf, sameValues, type ModelFiles, type StoredTensor } from '../files/tensorSource.js';
import { WeightBlocks } from '../files/weightBlocks.js';
import { sizeOf, type Architecture, type ParameterSpec } from './architecture.js';
import { CausalLm } from './causalLm.js';
import { QuantizedWeight, uploaded, type Weight, type WeightLayout } from './quantizedWeight.js';
import { architectureOf, configWarnings, type ModelWarning } from './registry.js';
import { largestTensorBytes } from '../webgpu/gpuMemory.js';
import { SplitWeight } from './splitWeight.js';
import { StoredWeight } from './storedWeight.js';
import { TransposedWeight } from './transposedWeight.js';
import { weightLayouts } from './weightLayouts.js';
import { statOf } from '../../system/fileStat.js';

const FLOAT32: UsedWeights = { base_weights: 'float32', precision: 'float32' };

export interface LoadOptions {
  /** Format of frozen matrices; float32 by default. */
  settings?: UsedWeights;
  /** Hold the matrices that aren't quantized as [in, out], which is faster for few rows. */
  transposed?: boolean;
  /** Bytes of a tensor that the backend can hold; larger matrices are split. */
  largestTensor?: number;
  onProgress?: (done: number, total: number) => void;
  onWarning?: (code: string, message: string) => void;
}

/**
 * The architecture of a model on disk, whose files are open. A head that is stored and differs from the embedding isn't
 * tied, whatever config.json says, as in Transformers 5.
 * @throws InputError on an unsupported configuration
 */
export function architectureOfFiles(files: ModelFiles): Architecture {
  const file = configFile(files);
  const described = architectureOf(files.config, file);
  const own = described.tieWordEmbeddings && hasOwnHead(files, described);
  return own ? architectureOf({ ...files.config, tie_word_embeddings: false }, file) : described;
}

function configFile({ format, path }: ModelFiles): string {
  return format === 'gguf' ? path : `${path}/config.json`;
}

/** By the states of the files: comparing takes reading two of the largest tensors, and models are opened repeatedly. */
const ownHeads = new Map<string, boolean>();

/** Whether a head is stored in addition to the embedding, and isn't equal to it. */
function hasOwnHead(files: ModelFiles, { head, embedding }: Architecture): boolean {
  const [own, table] = [head, embedding].map(module => storedAs(files, `${module}.weight`));
  if (!own || !table) return false;
  const state = [own, table].map(stateOf).join('\n');
  const isOwn = ownHeads.get(state) ?? !sameValues(own, table);
  ownHeads.set(state, isOwn);
  return isOwn;
}

function stateOf({ place: { file = '', key } }: StoredTensor): string {
  const stat = statOf(file);
  return [resolve(file), key, stat?.ino, stat?.size, stat?.mtimeMs].join(' ');
}

/**
 * Loads a model, which owns its tensors.
 * @throws InputError that names a tensor that is missing or whose shape differs from the configuration's
 */
export function loadModel(
  files: ModelFiles,
  {
    settings = FLOAT32,
    transposed = false,
    largestTensor = largestTensorBytes(),
    onProgress,
    onWarning,
  }: LoadOptions = {},
): CausalLm {
  const architecture = architectureOfFiles(files);
  const stored = findTensors(files, architecture);
  for (const { code, message } of modelWarnings(files)) onWarning?.(code, message);
  const layouts = weightLayouts(architecture, stored, settings);
  const weights = new Map<string, Weight>();
  const transposable = TransposedWeight.namesIn(architecture);
  architecture.parameters.forEach(({ name, shape }, i) => {
    const layout = layouts.get(name);
    const tensor = stored[i]!;
    const read = (): Weight => {
      if (shape.length === 2 && 4 * sizeOf(shape) > largestTensor) return readSplit(tensor, largestTensor);
      const values = uploaded(tensor.readFloat32(), [...shape], 'float32');
      return transposed && transposable.has(name) ? TransposedWeight.of(values as tf.Tensor2D) : values;
    };
    weights.set(name, layout ? QuantizedWeight.of(readBlocks(tensor, layout), layout) : read());
    onProgress?.(i + 1, stored.length);
  });
  return new CausalLm(architecture, weights);
}

/**
 * A model whose parameters are read from its files each time they are used, within the caller's tidy: only those in use
 * are in memory. For passes over a model that are made once.
 * @throws InputError like {@link loadModel}
 */
export function modelOnFiles(files: ModelFiles, onWarning?: LoadOptions['onWarning']): CausalLm {
  const architecture = architectureOfFiles(files);
  for (const { code, message } of modelWarnings(files)) onWarning?.(code, message);
  return new CausalLm(architecture, new StoredWeights(architecture.parameters, findTensors(files, architecture)));
}

class StoredWeights extends Map<string, Weight> {
  private readonly stored = new Map<string, { shape: readonly number[]; tensor: StoredTensor }>();

  constructor(parameters: readonly ParameterSpec[], tensors: readonly StoredTensor[]) {
    super();
    for (const [i, { name, shape }] of parameters.entries()) this.stored.set(name, { shape, tensor: tensors[i]! });
  }

  override get(name: string): Weight | undefined {
    const found = this.stored.get(name);
    if (!found) return undefined;
    const { shape, tensor } = found;
    return shape.length === 2 ? new StoredWeight(tensor) : uploaded(tensor.readFloat32(), [...shape], 'float32');
  }
}

function readSplit(tensor: StoredTensor, most: number): SplitWeight {
  const [rows, columns] = tensor.shape as [number, number];
  const size = Math.floor(most / (4 * columns));
  const parts: tf.Tensor2D[] = [];
  for (let row = 0; row < rows; row += size) {
    const count = Math.min(size, rows - row);
    parts.push(uploaded(tensor.readRows(row, count), [count, columns], 'float32') as tf.Tensor2D);
  }
  return new SplitWeight(parts, rows);
}

/** The file's own blocks if they have the format, else its values, quantized piece by piece. */
function readBlocks(tensor: StoredTensor, { format, shape }: WeightLayout): WeightBlocks {
  if (tensor.blocks?.format === format) return tensor.blocks.read();
  const blocks = new WeightBlocks(format, shape);
  let row = 0;
  for (const values of piecesOf(tensor)) {
    blocks.quantizeRows(row, values);
    row += values.length / shape[1];
  }
  return blocks;
}

/**
 * The stored tensor of each parameter; reads no values.
 * @throws InputError that names a tensor that is missing, whose shape differs from the configuration's, or that would
 *   change what a layer computes and that no parameter reads
 */
export function findTensors(files: ModelFiles, architecture: Architecture): StoredTensor[] {
  const found = architecture.parameters.map(parameter => findTensor(files, architecture, parameter));
  const within = unreadTensors(files, architecture).find(name => isWithinLayer(name, architecture));
  if (within !== undefined)
    throw new InputError(`a ${architecture.modelType} model with this config.json has no such tensor`, {
      ...files.tensors.get(within)!.place,
      hint: 'It belongs to a layer and would change the result. Correct config.json (biases: attention_bias, mlp_bias), or remove the tensor.',
    });
  return found;
}

/**
 * The stored tensor of a parameter.
 * @throws InputError if it is missing or its shape differs from the configuration's
 */
export function findTensor(
  files: ModelFiles,
  { embedding, head, tieWordEmbeddings }: Architecture,
  { name, shape }: ParameterSpec,
): StoredTensor {
  const isTied = tieWordEmbeddings && name === `${embedding}.weight`;
  const tensor = storedAs(files, name) ?? (isTied ? storedAs(files, `${head}.weight`) : undefined);
  if (!tensor)
    throw new InputError(`tensor ${name} is missing`, {
      file: files.path,
      hint: name === `${head}.weight` ? 'If the head is the embedding, set tie_word_embeddings to true.' : undefined,
    });
  if (tensor.shape.length !== shape.length || tensor.shape.some((size, i) => size !== shape[i]))
    throw new InputError(`has shape [${tensor.shape.join(', ')}], but the configuration says [${shape.join(', ')}]`, {
      ...tensor.place,
      hint: 'config.json and the weights belong to different models, or one of them is damaged.',
    });
  return tensor;
}

/** In a model that was saved without its head, names lack the first part. */
function storedAs({ tensors }: ModelFiles, name: string): StoredTensor | undefined {
  return tensors.get(name) ?? tensors.get(name.slice(name.indexOf('.') + 1));
}

/** What is unusual about a model on disk: keys and tensors that are ignored, a head that isn't tied. */
export function modelWarnings(files: ModelFiles): ModelWarning[] {
  const architecture = architectureOfFiles(files);
  const { head, embedding, modelType, tieWordEmbeddings } = architecture;
  const file = configFile(files);
  const warnings = configWarnings(files.config, file);
  if (architectureOf(files.config, file).tieWordEmbeddings && !tieWordEmbeddings)
    warnings.push({
      code: 'head_not_tied',
      message: `${file}: tie_word_embeddings is true, but ${head}.weight is stored and differs from ${embedding}.weight; they are not tied`,
    });
  const unread = unreadTensors(files, architecture).filter(name => !isWithinLayer(name, architecture));
  if (unread.length > 0)
    warnings.push({
      code: 'tensors_unused',
      message: `${files.path}: ignored ${unread.length} tensors that a ${modelType} model with this config.json doesn't have: ${shortList(unread)}`,
    });
  return warnings;
}

/** Buffers that older checkpoints contain in addition to the parameters. */
const BUFFERS = /\b(rotary_emb\.(inv_freq|cos_cached|sin_cached)|attn\.(masked_)?bias)$/;

/** Names of stored tensors that are neither parameters nor buffers nor a copy of the embedding. */
function unreadTensors(files: ModelFiles, { parameters, head }: Architecture): string[] {
  const read = new Set([...parameters.map(({ name }) => name), `${head}.weight`].map(name => storedAs(files, name)));
  return [...files.tensors].filter(([name, tensor]) => !read.has(tensor) && !BUFFERS.test(name)).map(([name]) => name);
}

function isWithinLayer(tensor: string, { blocks, layers }: Architecture): boolean {
  const prefixes = [`${blocks}.`, `${blocks.slice(blocks.indexOf('.') + 1)}.`];
  const prefix = prefixes.find(candidate => tensor.startsWith(candidate));
  return prefix !== undefined && Number(tensor.slice(prefix.length).split('.')[0]) < layers.length;
}

function shortList(names: readonly string[]): string {
  return names.length > 4 ? `${names.slice(0, 3).join(', ')}, ...` : names.join(', ');
}
