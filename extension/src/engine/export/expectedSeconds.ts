// How long an export is expected to take, from the time that one tensor of each kind takes to make. Called by the plans of export
// targets.
import * as tf from '@tensorflow/tfjs-core';
import { valueCount } from '../files/tensorEntry.js';
import type { ChangedParameter } from '../models/changedParameters.js';
import type { SavedAdapter } from '../peft/adapterFiles.js';

/** A tensor that will be written. */
export interface Sampled {
  /** Tensors of one kind take the same time for a byte. */
  kind: string;
  bytes: number;
  /** Makes it without writing it. */
  make(): Promise<unknown>;
}

/** Code runs slower at first. */
const TRIES = 2;
/** Of the tensor that is made, if there is one: small enough to be quick, large enough not to measure what every tensor takes. */
const SAMPLE_BYTES = 2e6;

export async function expectedSeconds(work: readonly Sampled[]): Promise<number> {
  let seconds = 0;
  for (const kind of new Set(work.map(each => each.kind))) {
    const alike = work.filter(each => each.kind === kind);
    const ascending = alike.toSorted((a, b) => a.bytes - b.bytes);
    const sample = ascending.findLast(({ bytes }) => bytes <= SAMPLE_BYTES) ?? ascending[0]!;
    let best = Infinity;
    for (let i = 0; i < TRIES; i++) {
      const start = performance.now();
      await sample.make();
      best = Math.min(best, (performance.now() - start) / 1000);
    }
    seconds += (best * alike.reduce((sum, { bytes }) => sum + bytes, 0)) / Math.max(1, sample.bytes);
  }
  return seconds;
}

/** Of a comparison on some tokens: reading the parameters once, and their products. */
export function comparing(parameters: Iterable<ChangedParameter>, tokens: number): Sampled[] {
  return [...parameters]
    .filter(({ shape }) => shape.length === 2)
    .map(parameter => ({
      kind: 'compared',
      bytes: 4 * valueCount(parameter.shape),
      make: async () => {
        const product = tf.tidy(() => {
          const weights = parameter.tensor() as tf.Tensor2D;
          return tf.matMul(tf.zeros([tokens, weights.shape[1]]), weights, false, true);
        });
        await product.data();
        product.dispose();
      },
    }));
}

/** For an adapter alone, whose tensors are written as they are read. */
export function secondsToRead({ tensors }: SavedAdapter): Promise<number> {
  const work = [...tensors.values()].map(tensor => ({
    kind: tensor.dtype,
    bytes: tensor.byteLength,
    make: async () => tensor.readFloat32(),
  }));
  return expectedSeconds(work);
}
