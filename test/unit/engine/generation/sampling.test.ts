// Sampling of the next token. test/contract/modelFamilies.test.ts tests that decoding agrees with the forward pass.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { createRng } from '../../../../extension/src/engine/data/rng.js';
import type { CausalLm } from '../../../../extension/src/engine/models/causalLm.js';
import { tinyModel } from '../../../support/tinyModels.js';
import { Decoder, type GenerateOptions } from '../../../support/decoder.js';

let model: CausalLm;
beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
  model = tinyModel('llama');
});

const draw = (options: Partial<GenerateOptions>) =>
  new Decoder({ model, adapter: null, compile: false }).generate([5, 9], {
    maxNewTokens: 1,
    stopTokenIds: [],
    temperature: 1,
    topP: 1,
    rng: createRng(0),
    ...options,
  });

/** The share of seeds in which each token comes first. */
async function frequencies(options: Partial<GenerateOptions>, draws = 300): Promise<number[]> {
  const counts = Array.from({ length: 48 }, () => 0);
  for (let seed = 0; seed < draws; seed++) counts[(await draw({ ...options, rng: createRng(seed) }))[0]!]!++;
  return counts.map(count => count / draws);
}

function probabilities(temperature: number): number[] {
  return tf.tidy(() => {
    const row = (values: number[]) => tf.tensor2d([values], [1, 2], 'int32');
    const hidden = model.forward({ inputIds: row([5, 9]), positionIds: row([0, 1]), segmentIds: row([1, 1]) });
    return [...tf.softmax(tf.div(model.logits(tf.slice(hidden, [1, 0], [1, -1])), temperature)).dataSync()];
  });
}

describe('sampling', () => {
  it.each([0.5, 2, 10])('follows the probabilities at temperature %d', async temperature => {
    const expected = probabilities(temperature);
    (await frequencies({ temperature })).forEach((share, id) =>
      expect(Math.abs(share - expected[id]!), `token ${id}`).toBeLessThan(0.1),
    );
  });

  it('top_p keeps only the likeliest tokens, at least one', async () => {
    const ranked = probabilities(5)
      .map((probability, id) => ({ probability, id }))
      .toSorted((a, b) => b.probability - a.probability);
    let mass = 0;
    const kept = ranked.filter(({ probability }) => (mass += probability) - probability < 0.4).map(({ id }) => id);
    const drawn = await frequencies({ temperature: 5, topP: 0.4 });
    drawn.forEach((share, id) => expect(share > 0 && !kept.includes(id), `token ${id}`).toBe(false));
    expect((await frequencies({ temperature: 5, topP: 0 }, 20))[ranked[0]!.id]).toBe(1);
  });

  it('temperature 0 takes the likeliest token, whatever the seed', async () => {
    const expected = probabilities(1);
    const likeliest = expected.indexOf(Math.max(...expected));
    expect(await draw({ temperature: 0 })).toEqual([likeliest]);
    expect(await draw({ temperature: 0, rng: createRng(9) })).toEqual([likeliest]);
  });

  it('reports each token and stops when onToken returns false', async () => {
    const heard: number[] = [];
    const onToken = (id: number) => heard.push(id) < 3;
    expect(await draw({ maxNewTokens: 10, onToken })).toEqual(heard);
    expect(heard).toHaveLength(3);
    expect(await draw({ maxNewTokens: 0 })).toEqual([]);
  });
});
