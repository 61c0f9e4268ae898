// AdamW with its state: two moments a parameter and the count of updates. The arithmetic is stepMath.ts's.
import * as tf from '@tensorflow/tfjs-core';
import { adamWScalars, adamWUpdate, type AdamWConfig, type AdamWScalars, type Tensors } from './stepMath.js';

interface Moments {
  first: tf.Variable;
  second: tf.Variable;
}

/** Owns the moments. */
export class AdamW {
  private readonly moments: Map<string, Moments>;
  /** Updates made so far. */
  step = 0;

  constructor(
    private readonly parameters: ReadonlyMap<string, tf.Variable>,
    readonly config: AdamWConfig,
  ) {
    const zeros = (shape: number[]) => tf.tidy(() => tf.variable(tf.zeros(shape), false));
    this.moments = new Map(
      [...parameters].map(([key, { shape }]) => [key, { first: zeros(shape), second: zeros(shape) }]),
    );
  }

  /** One update. A parameter without a gradient stays as it is, as in PyTorch. */
  update(gradients: Tensors, learningRate: number): void {
    const [stepSize, correction, decay] = this.nextScalars(learningRate).map(value => tf.scalar(value));
    const scalars: AdamWScalars = { stepSize: stepSize!, correction: correction!, decay: decay! };
    for (const [key, gradient] of gradients)
      // One by one, so that the old values of one are gone before the new ones of the next are made.
      tf.tidy(() => {
        const parameter = this.parameters.get(key)!;
        const { first, second } = this.moments.get(key)!;
        const updated = adamWUpdate({ parameter, gradient, first, second }, scalars, this.config);
        this.assign(key, updated.parameter, updated.first, updated.second);
      });
    tf.dispose([stepSize!, correction!, decay!]);
    this.step++;
  }

  /** The scalars of the next update, those of `adamWScalars`. */
  nextScalars(learningRate: number): number[] {
    return adamWScalars(this.step + 1, learningRate, this.config);
  }

  /** Puts an update in place that was computed elsewhere. */
  assign(key: string, parameter: tf.Tensor, first: tf.Tensor, second: tf.Tensor): void {
    const moments = this.moments.get(key)!;
    this.parameters.get(key)!.assign(parameter);
    moments.first.assign(first);
    moments.second.assign(second);
  }

  /** The moments by `${key}.exp_avg` and `${key}.exp_avg_sq`, PyTorch's names; they stay the optimizer's. */
  tensors(): Map<string, tf.Variable> {
    return new Map(
      [...this.moments].flatMap(([key, { first, second }]) => [
        [`${key}.exp_avg`, first] as const,
        [`${key}.exp_avg_sq`, second] as const,
      ]),
    );
  }

  dispose(): void {
    for (const { first, second } of this.moments.values()) tf.dispose([first, second]);
    this.moments.clear();
  }
}
