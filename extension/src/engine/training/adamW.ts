// AdamW with its state: each parameter with its two moments, and the number of updates. The arithmetic is in
// stepMath.ts.
import * as tf from '@tensorflow/tfjs-core';
import {
  adamWScalars,
  adamWUpdate,
  type AdamWConfig,
  type AdamWScalars,
  type AdamWState,
  type Tensors,
} from './stepMath.js';

/** Owns the moments; the parameters belong to the caller. */
export class AdamW {
  readonly state: ReadonlyMap<string, AdamWState<tf.Variable>>;
  /** Updates made so far. */
  step = 0;

  constructor(
    parameters: ReadonlyMap<string, tf.Variable>,
    readonly config: AdamWConfig,
  ) {
    const zeros = (shape: number[]) => tf.tidy(() => tf.variable(tf.zeros(shape), false));
    this.state = new Map(
      [...parameters].map(([key, parameter]) => {
        const { shape } = parameter;
        return [key, { parameter, exp_avg: zeros(shape), exp_avg_sq: zeros(shape) }];
      }),
    );
  }

  /** One update. A parameter without a gradient isn't changed, as in PyTorch. */
  update(gradients: Tensors, learningRate: number): void {
    const scalars = this.nextScalars(learningRate);
    for (const [key, gradient] of gradients)
      // One by one, so that the old values of one are freed before the new ones of the next are computed.
      tf.tidy(() => this.assign(key, adamWUpdate(this.state.get(key)!, gradient, scalars, this.config)));
    tf.dispose(scalars);
    this.step++;
  }

  /** The scalars of the next update; they belong to the caller. */
  nextScalars(learningRate: number): AdamWScalars {
    return adamWScalars(this.step + 1, learningRate, this.config);
  }

  /** Applies an update of all parameters that was computed elsewhere; its tensors still belong to the caller. */
  take(updated: ReadonlyMap<string, AdamWState>): void {
    for (const [key, state] of updated) this.assign(key, state);
    this.step++;
  }

  /** The moments by `${key}.exp_avg` and `${key}.exp_avg_sq`; they still belong to the optimizer. */
  moments(): Map<string, tf.Variable> {
    return new Map(
      [...this.state].flatMap(([key, { parameter: _callers, ...moments }]) =>
        Object.entries(moments).map(([name, moment]) => [`${key}.${name}`, moment] as const),
      ),
    );
  }

  dispose(): void {
    tf.dispose([...this.moments().values()]);
  }

  private assign(key: string, updated: AdamWState): void {
    const own = this.state.get(key)!;
    own.parameter.assign(updated.parameter);
    own.exp_avg.assign(updated.exp_avg);
    own.exp_avg_sq.assign(updated.exp_avg_sq);
  }
}
