// Sampling of the next token. test/contract/modelFamilies.test.ts tests that decoding agrees with the forward pass.
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { createRng } from '../../../../extension/src/engine/data/rng.js';
import { largest } from '../../../../extension/src/engine/generation/largest.js';
import { chosenLogprob } from '../../../../extension/src/engine/generation/logprobs.js';
import { TokenSampler, type SamplingOptions } from '../../../../extension/src/engine/generation/sampling.js';
import type { CausalLm } from '../../../../extension/src/engine/models/causalLm.js';
import { tinyModel } from '../../../support/tinyModels.js';
import { samplingSchema } from '../../../../extension/src/protocol/sampling.js';
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
    seed: 0,
    ...options,
  });

/** The share of seeds in which each token comes first. */
async function frequencies(options: Partial<GenerateOptions>, draws = 300): Promise<number[]> {
  const counts = Array.from({ length: 48 }, () => 0);
  for (let seed = 0; seed < draws; seed++) counts[(await draw({ ...options, seed }))[0]!]!++;
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
    const drawn = await frequencies({ temperature: 5, top_p: 0.4 });
    drawn.forEach((share, id) => expect(share > 0 && !kept.includes(id), `token ${id}`).toBe(false));
    expect((await frequencies({ temperature: 5, top_p: 1e-9 }, 20))[ranked[0]!.id]).toBe(1);
  });

  it('temperature 0 takes the likeliest token, whatever the seed', async () => {
    const expected = probabilities(1);
    const likeliest = expected.indexOf(Math.max(...expected));
    expect(await draw({ temperature: 0 })).toEqual([likeliest]);
    expect(await draw({ temperature: 0, seed: 9 })).toEqual([likeliest]);
  });

  it('reports each token and stops when onToken returns false', async () => {
    const heard: number[] = [];
    const onToken = (id: number) => heard.push(id) < 3;
    expect(await draw({ maxNewTokens: 10, onToken })).toEqual(heard);
    expect(heard).toHaveLength(3);
    expect(await draw({ maxNewTokens: 0 })).toEqual([]);
  });
});

interface Case {
  kind: string;
  settings: Partial<SamplingOptions>;
  prompt: number[];
  answer: number[];
  logits: number[];
  kept: number[];
  probabilities: number[];
  log_softmax: { ids: number[]; values: number[] };
}
const fixtures = new URL('../../../fixtures/sampling/', import.meta.url);
const cases = JSON.parse(readFileSync(new URL('cases.json', fixtures), 'utf8')) as Case[];

const samplerOf = (settings: Partial<SamplingOptions>, prompt: number[] = []) =>
  new TokenSampler(samplingSchema.omit({ max_new_tokens: true, stop: true }).parse(settings), prompt);

describe('TokenSampler equals Transformers', () => {
  it.each(cases.map(each => ({ ...each, title: JSON.stringify(each.settings) })))('$kind logits, $title', each => {
    const sampler = samplerOf(each.settings, each.prompt);
    for (const id of each.answer) sampler.add(id);
    const logits = Float32Array.from(each.logits);
    const { ids, weights } = sampler.candidates(logits);
    expect([...logits]).toEqual(each.logits);
    expect([...ids]).toEqual(each.kept);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    weights.forEach((weight, i) => expect(weight / total).toBeCloseTo(each.probabilities[i]!, 5));
    expect(each.kept).toContain(sampler.choose(logits));
  });

  it.each(cases.filter(({ kind }) => kind === 'random'))(
    'log-probabilities of case %#',
    ({ logits, log_softmax: top }) => {
      const found = chosenLogprob(Float32Array.from(logits), top.ids[2]!, 5);
      expect(found.top.map(({ id }) => id)).toEqual(top.ids);
      found.top.forEach(({ logprob }, i) => expect(logprob).toBeCloseTo(top.values[i]!, 5));
      expect(found.logprob).toBeCloseTo(top.values[2]!, 5);
      expect(chosenLogprob(Float32Array.from(logits), top.ids[2]!, 0).top).toEqual([]);
    },
  );
});

describe('TokenSampler', () => {
  const rng = createRng(5);
  const large = Float32Array.from({ length: 150_000 }, () => rng.normal() * 2);
  const ranked = [...large.keys()].sort((a, b) => large[b]! - large[a]!);

  it.each([0.05, 0.5, 0.9, 0.999])('top_p %d of a large vocabulary is what a full sort gives', topP => {
    const weights = ranked.map(id => Math.exp(large[id]!));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    let mass = 0;
    const kept = ranked.filter((_, i) => (mass += weights[i]!) - weights[i]! < topP * total);
    // The last one depends on how sums are rounded.
    const found = [...samplerOf({ temperature: 1, top_p: topP }).candidates(large).ids];
    expect(Math.abs(found.length - kept.length)).toBeLessThanOrEqual(1);
    const chosen = new Set(found);
    expect(kept.slice(0, -1).filter(id => !chosen.has(id))).toEqual([]);
  });

  it.each([1, 40, 5000])('top_k %d of a large vocabulary', k => {
    const found = samplerOf({ temperature: 1, top_k: k }).candidates(large).ids;
    expect(new Set(found)).toEqual(new Set(ranked.slice(0, k)));
    expect(largest(large, k)).toEqual(ranked.slice(0, k));
  });

  it('draws the same from the same seed, whatever others draw meanwhile', () => {
    const draws = (sampler: TokenSampler, other?: TokenSampler) =>
      Array.from({ length: 20 }, () => {
        other?.choose(large);
        const id = sampler.choose(large);
        sampler.add(id);
        return id;
      });
    const settings = { temperature: 1, seed: 7, presence_penalty: 0.5 };
    const alone = draws(samplerOf(settings));
    expect(draws(samplerOf(settings), samplerOf({ temperature: 2, seed: 7 }))).toEqual(alone);
    expect(draws(samplerOf({ ...settings, seed: 8 }))).not.toEqual(alone);
  });

  it('tokens with a logit of minus infinity are never drawn; other non-finite logits are an error', () => {
    const sampler = samplerOf({ temperature: 5 });
    const logits = Float32Array.of(-Infinity, 1, -Infinity, 0);
    expect([...sampler.candidates(logits).ids]).toEqual([1, 3]);
    for (const bad of [NaN, Infinity])
      for (const temperature of [0, 1])
        expect(() => samplerOf({ temperature, presence_penalty: 1 }).choose(Float32Array.of(1, bad))).toThrow(
          /non-finite/,
        );
    expect(() => samplerOf({ temperature: 1 }).choose(Float32Array.of(-Infinity))).toThrow(/non-finite/);
  });

  it('a very low temperature is the most likely token', () => {
    expect(samplerOf({ temperature: 1e-30 }).choose(Float32Array.of(1, 2, 2.5, -3e38))).toBe(2);
  });
});
