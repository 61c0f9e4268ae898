// The initial weights of pretraining: names, sizes, standard deviation, reproducibility.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { llamaTensors, randomTensors } from '../../../extension/scripts/embedded/initModel.mjs';

const config = JSON.parse(readFileSync(new URL('../../../media/models/tiny/config.json', import.meta.url), 'utf8'));

describe('the initial weights', () => {
  it('are those of a Llama with tied embeddings, 1.75 million in total', () => {
    const tensors: [string, number[]][] = llamaTensors(config);
    const total = tensors.reduce((sum, [, shape]) => sum + shape.reduce((product, size) => product * size, 1), 0);
    expect(total).toBe(1_750_240);
    expect(tensors.map(([name]) => name)).not.toContain('lm_head.weight');
  });

  it('are normal with the configured deviation, norms are one, and they depend on the seed', () => {
    const small = { ...config, num_hidden_layers: 1, vocab_size: 100 };
    const tensors: { name: string; shape: number[]; data: Float32Array }[] = randomTensors(small, 5);
    const bytes = (seed: number) =>
      Buffer.concat(
        randomTensors(small, seed).map((tensor: { data: Float32Array }) => Buffer.from(tensor.data.buffer)),
      );
    expect(bytes(5).equals(bytes(5))).toBe(true);
    expect(bytes(6).equals(bytes(5))).toBe(false);
    for (const { shape, data } of tensors) {
      const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
      const deviation = Math.sqrt(data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length);
      if (shape.length === 1) expect([mean, deviation]).toEqual([1, 0]);
      else expect(deviation / config.initializer_range).toBeCloseTo(1, 1);
    }
  });
});
