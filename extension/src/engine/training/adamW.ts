// AdamW as torch.optim.AdamW defines it (arXiv:1711.05101), weight decay on every trained parameter.
import * as tf from '@tensorflow/tfjs-core';

export interface AdamWConfig {
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
}

interface Moments {
  first: tf.Variable;
  second: tf.Variable;
}

/** Owns two moments a parameter. */
export class AdamW {
  private readonly moments: Map<string, Moments>;
  /** Updates made so far. */
  step = 0;

  constructor(
    private readonly parameters: ReadonlyMap<string, tf.Variable>,
    private readonly config: AdamWConfig,
  ) {
    const zeros = (shape: number[]) => tf.tidy(() => tf.variable(tf.zeros(shape), false));
    this.moments = new Map(
      [...parameters].map(([key, { shape }]) => [key, { first: zeros(shape), second: zeros(shape) }]),
    );
  }

  /** One update. A parameter without a gradient stays as it is, as in PyTorch. */
  update(gradients: ReadonlyMap<string, tf.Tensor>, learningRate: number): void {
    this.step++;
    const { beta1, beta2, epsilon, weightDecay } = this.config;
    const correction1 = 1 - beta1 ** this.step;
    const correction2 = Math.sqrt(1 - beta2 ** this.step);
    for (const [key, parameter] of this.parameters) {
      const gradient = gradients.get(key);
      if (!gradient) continue;
      const { first, second } = this.moments.get(key)!;
      tf.tidy(() => {
        first.assign(tf.add(tf.mul(first, beta1), tf.mul(gradient, 1 - beta1)));
        second.assign(tf.add(tf.mul(second, beta2), tf.mul(tf.square(gradient), 1 - beta2)));
        const denominator = tf.add(tf.div(tf.sqrt(second), correction2), epsilon);
        const decayed = weightDecay > 0 ? tf.mul(parameter, 1 - learningRate * weightDecay) : parameter;
        parameter.assign(tf.sub(decayed, tf.mul(tf.div(first, denominator), learningRate / correction1)));
      });
    }
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
