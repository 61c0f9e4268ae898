// Reads a pretrained model's weights into tensors, one at a time, after every name and size has been checked.
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../core/inputError.js';
import type { ModelFiles, StoredTensor } from '../files/tensorSource.js';
import type { Architecture, ParameterSpec } from './architecture.js';
import { CausalLm } from './causalLm.js';
import { architectureOf } from './registry.js';

export interface LoadOptions {
  onProgress?: (done: number, total: number) => void;
  onWarning?: (code: string, message: string) => void;
}

/** The architecture of a model on disk. @throws InputError on a configuration that can't be used */
export function architectureOfFiles(files: ModelFiles): Architecture {
  return architectureOf(files.config, files.format === 'gguf' ? files.path : `${files.path}/config.json`);
}

/**
 * Loads a model. The result owns its tensors.
 * @throws InputError naming a tensor that is missing or of another shape than the configuration says
 */
export function loadModel(files: ModelFiles, { onProgress, onWarning }: LoadOptions = {}): CausalLm {
  const architecture = architectureOfFiles(files);
  const stored = findTensors(files, architecture);
  warnOfUnused(files, architecture, stored, onWarning);
  const weights = new Map<string, tf.Tensor>();
  architecture.parameters.forEach((parameter, i) => {
    weights.set(parameter.name, upload(stored[i]!.readFloat32(), [...parameter.shape]));
    onProgress?.(i + 1, stored.length);
  });
  return new CausalLm(architecture, weights);
}

/** A tensor that the backend has taken in: tfjs-node otherwise keeps the JavaScript copy until the first use. */
function upload(values: Float32Array, shape: number[]): tf.Tensor {
  return tf.tidy(() => tf.reshape(tf.tensor(values, shape, 'float32'), shape));
}

/**
 * The stored tensor of each parameter, by their headers alone.
 * @throws InputError naming a tensor that is missing or of another shape than the configuration says
 */
export function findTensors(files: ModelFiles, architecture: Architecture): StoredTensor[] {
  return architecture.parameters.map(parameter => findTensor(files, parameter));
}

/** A model saved without its head lacks the first part of each name. */
function findTensor(files: ModelFiles, { name, shape }: ParameterSpec): StoredTensor {
  const tensor = files.tensors.get(name) ?? files.tensors.get(name.slice(name.indexOf('.') + 1));
  if (!tensor) throw new InputError(`tensor ${name} is missing`, { where: files.path });
  if (tensor.shape.length !== shape.length || tensor.shape.some((size, i) => size !== shape[i]))
    throw new InputError(`has shape [${tensor.shape.join(', ')}], the configuration says [${shape.join(', ')}]`, {
      where: tensor.where,
      hint: 'config.json and the weights belong to different models, or one of them is damaged.',
    });
  return tensor;
}

/** Buffers that older checkpoints carry beside the parameters. */
const BUFFERS = /(rotary_emb\.inv_freq|attn\.(masked_)?bias)$/;

function warnOfUnused(
  files: ModelFiles,
  architecture: Architecture,
  used: readonly StoredTensor[],
  onWarning: LoadOptions['onWarning'],
): void {
  const known = new Set(used);
  const unused = [...files.tensors].filter(
    ([name, tensor]) => !known.has(tensor) && !BUFFERS.test(name) && name !== `${architecture.head}.weight`,
  );
  if (unused.length > 0)
    onWarning?.(
      'tensors_unused',
      `${files.path}: ${unused.length} tensors are not part of a ${architecture.modelType} model and were left out, such as ${unused[0]![0]}`,
    );
}
