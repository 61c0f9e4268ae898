// AdamW compared with torch.optim.AdamW (test/fixtures/training/make.py).
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { AdamW } from '../../../../extension/src/engine/training/adamW.js';

interface Updates {
  settings: { lr: number; betas: [number, number]; eps: number; weight_decay: number };
  start: number[];
  gradients: number[][];
  after: number[][];
  exp_avg: number[];
  exp_avg_sq: number[];
}

const { adamw } = JSON.parse(
  readFileSync(new URL('../../../fixtures/training/expected.json', import.meta.url), 'utf8'),
) as { adamw: Updates[] };

function expectClose(ours: tf.Tensor, theirs: number[], what: string): void {
  ours.dataSync().forEach((value, i) => {
    const relative = Math.abs(value - theirs[i]!) / Math.max(1e-6, Math.abs(theirs[i]!));
    expect(relative, `${what}[${i}]: ${value}, not ${theirs[i]}`).toBeLessThan(1e-5);
  });
}

function optimizerOf(
  { betas, eps, weight_decay: weightDecay }: Updates['settings'],
  parameters: Map<string, tf.Variable>,
) {
  return new AdamW(parameters, { beta1: betas[0], beta2: betas[1], epsilon: eps, weightDecay });
}

describe('AdamW', () => {
  beforeAll(async () => {
    await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
  });

  it.each(adamw)('updates like PyTorch: $settings', ({ settings, start, gradients, after, ...moments }) => {
    const before = tf.memory().numTensors;
    const parameter = tf.tidy(() => tf.variable(tf.tensor(start, [2, 3])));
    const optimizer = optimizerOf(settings, new Map([['w', parameter]]));
    gradients.forEach((gradient, step) => {
      tf.tidy(() => optimizer.update(new Map([['w', tf.tensor(gradient, [2, 3])]]), settings.lr));
      expectClose(parameter, after[step]!, `after step ${step + 1}`);
    });
    const tensors = optimizer.moments();
    expect(optimizer.step).toBe(gradients.length);
    expectClose(tensors.get('w.exp_avg')!, moments.exp_avg, 'exp_avg');
    expectClose(tensors.get('w.exp_avg_sq')!, moments.exp_avg_sq, 'exp_avg_sq');
    optimizer.dispose();
    parameter.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('does not change a parameter without a gradient, not even by weight decay', () => {
    const parameters = new Map(['a', 'b'].map(key => [key, tf.tidy(() => tf.variable(tf.ones([2])))]));
    const optimizer = optimizerOf({ lr: 0.1, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.5 }, parameters);
    tf.tidy(() => optimizer.update(new Map([['a', tf.ones([2])]]), 0.1));
    expect(parameters.get('a')!.dataSync()[0]).toBeLessThan(1);
    expect([...parameters.get('b')!.dataSync()]).toEqual([1, 1]);
    optimizer.dispose();
    tf.dispose([...parameters.values()]);
  });
});
