// Reads a LoRA file of llama.cpp or mlx-lm again, as those programs do, and puts it on the base: what the certificate compares with the
// adapter. Knows nothing of how the files are written but the formats. Facts from llama.cpp's llama-adapter.cpp and mlx-lm's tuner.
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../core/inputError.js';
import { openGgufFile } from '../files/gguf.js';
import { GgufMetadata } from '../files/ggufMetadata.js';
import { huggingFaceModuleName } from '../files/ggufNames.js';
import { rotaryRowsFromGguf } from '../files/ggufTransforms.js';
import { readJsonObject } from '../files/jsonFile.js';
import { openSafetensors } from '../files/safetensors.js';
import type { StoredTensor } from '../files/tensorSource.js';
import type { Architecture, LinearModule } from '../models/architecture.js';
import type { CausalLm } from '../models/causalLm.js';
import type { ChangedParameters } from '../models/changedParameters.js';
import { denseOf } from '../models/quantizedWeight.js';
import { mlxName } from './mlxAdapter.js';

/** y = W x + scale · B A x, as the file has it. */
export interface WrittenFactors {
  module: LinearModule;
  scale: number;
  /** [rank, in] */
  a(): tf.Tensor2D;
  /** [out, rank] */
  b(): tf.Tensor2D;
}

export interface WrittenLora {
  factors: WrittenFactors[];
  close(): void;
}

/** @throws InputError on a tensor that llama.cpp wouldn't use, or not with this model */
export function readGgufLora(path: string, { linears, layers }: Architecture): WrittenLora {
  const file = openGgufFile(path);
  try {
    const metadata = new GgufMetadata(file.metadata, path);
    const architecture = metadata.optionalString('general.architecture') ?? '';
    const alpha = metadata.number('adapter.lora.alpha');
    const factors = pairs(file.tensors, '.weight.lora_a', '.weight.lora_b').map(([name, a, b]): WrittenFactors => {
      const found = huggingFaceModuleName(architecture, name);
      const module = moduleNamed(found?.name, linears, a);
      const [rank] = checkShapes(a, b, [null, module.inFeatures], [module.outFeatures, null]);
      const attention = module.layer === null ? null : layers[module.layer]!.attention;
      const heads = { rotary_q: attention?.heads, rotary_k: attention?.keyValueHeads } as Record<string, number>;
      const permuted = heads[found!.transform];
      return {
        module,
        scale: alpha / rank!,
        a: () => tf.tensor2d(a.readFloat32(), [rank!, module.inFeatures]),
        b: () => {
          const values = b.readFloat32();
          const rows = permuted === undefined ? values : rotaryRowsFromGguf(values, permuted, rank!);
          return tf.tensor2d(rows, [module.outFeatures, rank!]);
        },
      };
    });
    return { factors, close: () => file.close() };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** @throws InputError on a tensor that mlx-lm wouldn't use, or not with this model */
export function readMlxLora(folder: string, { linears }: Architecture): WrittenLora {
  const config = readJsonObject(join(folder, 'adapter_config.json')) ?? {};
  const { scale } = (config['lora_parameters'] ?? {}) as { scale: number };
  const named = new Map(linears.map(module => [mlxName(module.name), module.name]));
  const file = openSafetensors(join(folder, 'adapters.safetensors'));
  try {
    const factors = pairs(file.tensors, '.lora_a', '.lora_b').map(([name, a, b]): WrittenFactors => {
      const module = moduleNamed(named.get(name), linears, a);
      checkShapes(a, b, [module.inFeatures, null], [null, module.outFeatures]);
      const transposed = (tensor: StoredTensor) =>
        tf.tidy(() => tf.transpose(tf.tensor2d(tensor.readFloat32(), tensor.shape as [number, number])) as tf.Tensor2D);
      return { module, scale, a: () => transposed(a), b: () => transposed(b) };
    });
    return { factors, close: () => file.close() };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** The base with the factors on it; each weight is computed when it is read. */
export function withFactors(model: CausalLm, factors: readonly WrittenFactors[]): ChangedParameters {
  return new Map(
    factors.map(({ module, scale, a, b }) => {
      const { name, conv1d, outFeatures, inFeatures } = module;
      const weight = `${name}.weight`;
      const tensor = () =>
        tf.tidy(() => {
          const change = tf.mul(tf.matMul(b(), a()), scale);
          return tf.add(denseOf(model.weight(weight)), conv1d ? tf.transpose(change) : change);
        });
      return [weight, { shape: conv1d ? [inFeatures, outFeatures] : [outFeatures, inFeatures], tensor }];
    }),
  );
}

/** The two factors of each module. @throws InputError on one without the other, or another tensor */
function pairs(
  tensors: ReadonlyMap<string, StoredTensor>,
  ofA: string,
  ofB: string,
): [name: string, a: StoredTensor, b: StoredTensor][] {
  const names = [...tensors.keys()].map(name =>
    name.endsWith(ofB) ? name.slice(0, -ofB.length) : name.replace(ofA, ''),
  );
  return [...new Set(names)].map(name => {
    const [a, b] = [tensors.get(name + ofA), tensors.get(name + ofB)];
    if (!a || !b) throw new InputError('a factor of LoRA lacks its counterpart', (a ?? b ?? tensors.get(name))!.place);
    return [name, a, b];
  });
}

function moduleNamed(
  name: string | undefined,
  linears: readonly LinearModule[],
  { place }: StoredTensor,
): LinearModule {
  const module = linears.find(candidate => candidate.name === name);
  if (!module) throw new InputError('the model has no such module', place);
  return module;
}

/** null: the rank, which must be that of both. @returns the first tensor's shape */
function checkShapes(
  a: StoredTensor,
  b: StoredTensor,
  ofA: readonly (number | null)[],
  ofB: readonly (number | null)[],
): readonly number[] {
  const rank = a.shape[ofA.indexOf(null)];
  for (const [tensor, shape] of [
    [a, ofA],
    [b, ofB],
  ] as const) {
    const expected = shape.map(size => size ?? rank);
    if (tensor.shape.join() !== expected.join())
      throw new InputError(`has shape [${tensor.shape.join(', ')}] instead of [${expected.join(', ')}]`, tensor.place);
  }
  return a.shape;
}
