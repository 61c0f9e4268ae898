// A base model that is only described: its architecture and the layout of each matrix. The two tracers build a model
// from it on their own backend and observe its hidden states; no weights are read.
import * as tf from '@tensorflow/tfjs-core';
import { sizeOf, type Architecture } from '../models/architecture.js';
import type { ForwardPass } from '../models/block.js';
import { CausalLm, type ModelOptions } from '../models/causalLm.js';
import { QuantizedWeight, type Weight } from '../models/quantizedWeight.js';
import type { WeightLayouts } from '../models/weightLayouts.js';

export interface DescribedBase {
  architecture: Architecture;
  layouts: WeightLayouts;
  /** Attention heads of the whole model, if this is a part of its layers. */
  heads?: number;
}

export interface DescribedTensor {
  shape: readonly number[];
  dtype: 'float32' | 'int32';
}

/** The tensors that hold the parameters, in the architecture's order. */
export function describedTensors({ architecture, layouts }: DescribedBase): DescribedTensor[] {
  return architecture.parameters.flatMap(({ name, shape }): DescribedTensor[] => {
    const layout = layouts.get(name);
    if (!layout) return [{ shape, dtype: 'float32' }];
    return QuantizedWeight.wordShapes(layout).map(shape => ({ shape, dtype: 'int32' }));
  });
}

/** The model on those tensors. */
export class DescribedModel extends CausalLm {
  /** @param onHidden gets the head's input and returns it */
  constructor(
    base: DescribedBase,
    tensors: tf.Tensor[],
    private readonly onHidden: (hidden: tf.Tensor2D) => tf.Tensor2D,
    options: Pick<ModelOptions, 'tablePositions'> = {},
  ) {
    super(base.architecture, describedWeights(base, tensors), { heads: base.heads, ...options });
  }

  override finalNorm(pass: ForwardPass, x: tf.Tensor2D): tf.Tensor2D {
    return this.onHidden(super.finalNorm(pass, x));
  }
}

/** The parameters made of those tensors, by name. */
function describedWeights({ architecture, layouts }: DescribedBase, tensors: tf.Tensor[]): Map<string, Weight> {
  let next = 0;
  return new Map(
    architecture.parameters.map(({ name }): [string, Weight] => {
      const layout = layouts.get(name);
      if (!layout) return [name, tensors[next++]!];
      const { length } = QuantizedWeight.wordShapes(layout);
      next += length;
      return [name, new QuantizedWeight(layout, tensors.slice(next - length, next))];
    }),
  );
}

/** Bytes of all parameters; each value of their tensors takes four. */
export function weightBytes(base: DescribedBase): number {
  return 4 * describedTensors(base).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}
