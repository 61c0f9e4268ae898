// Parameters of a model that have other values than its files: merged or trained. Made by adapters, read by what writes models. They
// are computed one at a time, so that a merged model is never in memory as a whole.
import * as tf from '@tensorflow/tfjs-core';
import type { Architecture } from './architecture.js';
import type { CausalLm } from './causalLm.js';
import { denseOf } from './quantizedWeight.js';
import { StoredWeight } from './storedWeight.js';

export interface ChangedParameter {
  readonly shape: readonly number[];
  /** Computes it; the result belongs to the caller. */
  tensor(): tf.Tensor;
  /** The matrix in its file, if it has that one's values. */
  stored?(): StoredWeight | null;
}

/** By name. Different entries for embedding and head untie the two. */
export type ChangedParameters = ReadonlyMap<string, ChangedParameter>;

/** A parameter whose value is that tensor, which stays its owner's. */
export function changedTo(tensor: tf.Tensor): ChangedParameter {
  return { shape: tensor.shape, tensor: () => tf.clone(tensor) };
}

/** Whether embedding and head, which are tied, are no longer the same matrix. */
export function isUntied({ head, embedding, tieWordEmbeddings }: Architecture, changed: ChangedParameters): boolean {
  const [ofHead, ofEmbedding] = [head, embedding].map(module => changed.get(`${module}.weight`));
  return tieWordEmbeddings && ofHead !== ofEmbedding;
}

/** All parameters of the changed model, in the model's order; an untied head is the last. */
export function allParameters(model: CausalLm, changed: ChangedParameters): Map<string, ChangedParameter> {
  const { architecture } = model;
  const unchanged = (name: string, shape: readonly number[]): ChangedParameter => ({
    shape,
    tensor: () => tf.tidy(() => tf.clone(denseOf(model.weight(name)))),
    stored: () => {
      const weight = shape.length === 2 ? model.weight(name) : null;
      return weight instanceof StoredWeight ? weight : null;
    },
  });
  const all = new Map(
    architecture.parameters.map(({ name, shape }) => [name, changed.get(name) ?? unchanged(name, shape)]),
  );
  const head = `${architecture.head}.weight`;
  if (isUntied(architecture, changed)) {
    const { shape } = architecture.parameters.find(({ name }) => name === `${architecture.embedding}.weight`)!;
    all.set(head, changed.get(head) ?? unchanged(head, shape));
  }
  return all;
}

/** The values of a parameter. */
export async function valuesOf(parameter: ChangedParameter): Promise<Float32Array> {
  const tensor = parameter.tensor();
  const values = (await tensor.data()) as Float32Array;
  tensor.dispose();
  return values;
}

/** The same in consecutive pieces of whole rows, so that the largest matrices of a model on files needn't be in memory. */
export async function* piecesOfValues(parameter: ChangedParameter): AsyncIterable<Float32Array> {
  const stored = parameter.stored?.();
  if (stored) yield* stored.pieces();
  else yield await valuesOf(parameter);
}

/** As tensors that are computed each time they are read, within the caller's tidy. */
export function computedOnUse(changed: ChangedParameters): ReadonlyMap<string, tf.Tensor> {
  return new ComputedTensors(changed);
}

class ComputedTensors extends Map<string, tf.Tensor> {
  constructor(private readonly changed: ChangedParameters) {
    super();
  }

  override get(name: string): tf.Tensor | undefined {
    return this.changed.get(name)?.tensor();
  }
}
