// A session on a model folder: adapters from disk under names, mixtures, answers at the same time, unloading, follow-ups.
// test/contract/batchedDecoding.test.ts compares the numbers.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRng } from '../../../../extension/src/engine/data/rng.js';
import type { Session } from '../../../../extension/src/engine/generation/session.js';
import { sizeOf } from '../../../../extension/src/engine/models/architecture.js';
import { architectureOf } from '../../../../extension/src/engine/models/registry.js';
import { Adapter } from '../../../../extension/src/engine/peft/adapter.js';
import { saveAdapter } from '../../../../extension/src/engine/peft/adapterFiles.js';
import { AttachedMethod } from '../../../../extension/src/engine/peft/attachedMethod.js';
import { peftMethod } from '../../../../extension/src/engine/peft/registry.js';
import { openSession } from '../../../../extension/src/engine/run/openSession.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import type {
  GenerationInput,
  Piece,
  SessionSettings,
  TokenLogprob,
} from '../../../../extension/src/protocol/sessionMessages.js';
import { tinyConfig, tinyModel, writeTinyModel } from '../../../support/tinyModels.js';

const SIZES = { vocab_size: 522, max_position_embeddings: 256 };
const folder = mkdtempSync(join(tmpdir(), 'tunewright-session-'));
const model = writeTinyModel(join(folder, 'model'));
const path = (name: string) => join(folder, name);
const settings: SessionSettings = {
  model,
  folder: '.',
  base_weights: 'float32',
  precision: 'float32',
  backend: 'tensorflow',
  adapter: null,
  threads: null,
};

const open = (...names: string[]) =>
  openSession(
    settings,
    names.map(name => ({ name, path: path(name) })),
    silentReporter,
  );
const ask = (session: Session, adapters: GenerationInput['adapters'], text = 'Hello there', tokens = 12) =>
  session.generate({ prompt: text, adapters, sampling: { max_new_tokens: tokens } });

function expectClose(actual: readonly TokenLogprob[], expected: readonly TokenLogprob[]): void {
  expect(actual.map(({ id, text }) => [id, text])).toEqual(expected.map(({ id, text }) => [id, text]));
  for (const [i, { logprob, top }] of expected.entries()) {
    expect(Math.abs(actual[i]!.logprob - logprob), `token ${i}`).toBeLessThan(1e-4);
    expect(Math.abs(actual[i]!.top[0]!.logprob - top[0]!.logprob), `the likeliest instead of token ${i}`).toBeLessThan(
      1e-4,
    );
  }
}

beforeAll(async () => {
  (await open()).dispose();
  const base = tinyModel('llama', SIZES);
  const architecture = architectureOf(tinyConfig('llama', SIZES), 'config.json');
  for (const [name, peftType, seed] of [
    ['a', 'LORA', 1],
    ['b', 'LORA', 2],
    ['soft', 'PROMPT_TUNING', 3],
    ['vectors', 'IA3', 4],
  ] as const) {
    const method = peftMethod(peftType)!;
    const rng = createRng(seed);
    const values = ({ key, shape }: { key: string; shape: readonly number[] }) => {
      const draw = rng.fork(key);
      return Float32Array.from({ length: sizeOf(shape) }, () => 0.7 * draw.normal());
    };
    const attached = new AttachedMethod(method, method.schema.parse({}), architecture);
    const adapter = Adapter.attach(attached, base, { purpose: 'training', rng, values });
    await saveAdapter(path(name), adapter, model);
    adapter.dispose();
  }
  base.dispose();
  for (const name of ['a', 'b']) {
    cpSync(path(name), path(`${name} with tokens`), { recursive: true });
    const tokenizer = JSON.parse(readFileSync(join(model, 'tokenizer.json'), 'utf8'));
    const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
    const added = ['<first>', `<${name}>`].map((content, i) => ({ id: 512 + i, content, ...flags }));
    tokenizer.added_tokens.push(...added);
    writeFileSync(join(path(`${name} with tokens`), 'tokenizer.json'), JSON.stringify(tokenizer));
  }
  cpSync(path('a'), path('a with template'), { recursive: true });
  // Without generation prompt, and with a variable of its own.
  const template = '{{ messages[0].content }} there {"x":{{ x | default(1) }}}';
  writeFileSync(join(path('a with template'), 'chat_template.jinja'), template);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a session', () => {
  it('says so if an adapter makes the logits non-finite, at any temperature, and goes on without it', async () => {
    cpSync(path('a'), path('overflowing'), { recursive: true });
    const config = join(path('overflowing'), 'adapter_config.json');
    writeFileSync(config, JSON.stringify({ ...JSON.parse(readFileSync(config, 'utf8')), lora_alpha: 1e38 }));
    const session = await open('overflowing');
    for (const temperature of [0, 1]) {
      const sampling = { max_new_tokens: 3, temperature };
      const answer = session.generate({ prompt: 'Hello', adapters: [{ name: 'overflowing' }], sampling });
      await expect(answer).rejects.toThrow(/non-finite logits/);
    }
    expect((await ask(session, [])).usage.completion_tokens).toBeGreaterThan(0);
    session.dispose();
  });

  it('reads each adapter’s prompt with the tokens that were added for it', async () => {
    const session = await open('a with tokens', 'b with tokens', 'soft');
    const tokens = async (...names: string[]) => {
      const adapters = names.map(name => ({ name }));
      return (await ask(session, adapters, '<a><b>', 1)).usage.prompt_tokens;
    };
    expect(await tokens()).toBe(await tokens('soft'));
    const [plain, a, b] = [await tokens(), await tokens('a with tokens'), await tokens('b with tokens')];
    expect([plain - a, plain - b]).toEqual([2, 2]);
    expect(await tokens('a with tokens', 'b with tokens')).toBe(a);
    session.dispose();
  });

  it('writes each adapter’s conversation with the template that it was trained with', async () => {
    const session = await open('a with template', 'b', 'soft');
    const adapters = (...names: string[]) => names.map(name => ({ name, weight: 1 }));
    const tokens = async (...names: string[]) => {
      const messages = [{ role: 'user', content: 'Hello' }];
      const request = { messages, adapters: adapters(...names), sampling: { max_new_tokens: 1 } };
      return (await session.generate(request)).usage.prompt_tokens;
    };
    const own = session.countTokens({ text: 'Hello there {"x":1}' });
    expect(await tokens('soft')).toBe(await tokens());
    expect(await tokens('a with template')).toBe(own);
    expect(await tokens('a with template', 'b')).toBe(own);
    expect(session.templateFacts(adapters('b', 'a with template')).template_variables).toEqual(['x']);
    expect(session.templateFacts(adapters('b'))).toEqual(session.templateFacts([]));
    session.dispose();
  });

  it('describes what is loaded, and leaves nothing behind', async () => {
    const before = tf.memory().numTensors;
    const session = await open('a', 'soft');
    expect(session.facts).toMatchObject({ model, context_length: 256, has_chat_template: true, backend: 'tensorflow' });
    expect(session.adapters()).toMatchObject([
      { name: 'a', path: path('a'), peft_type: 'LORA', scalable: true },
      { name: 'soft', path: path('soft'), peft_type: 'PROMPT_TUNING', scalable: false },
    ]);
    await ask(session, [{ name: 'a' }]);
    expect(session.memory().cache_bytes).toBeGreaterThan(0);
    session.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('answers with the adapter that each request names, at the same time as alone', async () => {
    const session = await open('a', 'b', 'soft', 'vectors');
    const choices = [[], ...['base', model, 'a', 'b', 'soft', 'vectors'].map(name => [{ name }])];
    const alone = [];
    for (const adapters of choices) alone.push((await ask(session, adapters)).token_ids);
    const together = await Promise.all(choices.map(adapters => ask(session, adapters)));
    expect(together.map(({ token_ids: ids }) => ids)).toEqual(alone);
    expect(alone[1]).toEqual(alone[0]);
    expect(alone[2]).toEqual(alone[0]);
    const different = new Set(alone.map(ids => ids.join()));
    expect(different.size).toBe(5);
    session.dispose();
  });

  it('mixes LoRA adapters, and strength 0 is the base', async () => {
    const session = await open('a', 'b');
    const ids = async (adapters: GenerationInput['adapters']) => (await ask(session, adapters)).token_ids;
    const base = await ids([]);
    expect(await ids([{ name: 'a', weight: 0 }])).toEqual(base);
    const mixed = await ids([
      { name: 'a', weight: 0.7 },
      { name: 'b', weight: 1.3 },
    ]);
    expect(mixed).toEqual(
      await ids([
        { name: 'b', weight: 1.3 },
        { name: 'a', weight: 0.7 },
      ]),
    );
    expect(mixed).not.toEqual(base);
    const twice = [
      { name: 'a', weight: 0.5 },
      { name: 'a', weight: 0.5 },
    ];
    expect(await ids(twice)).toEqual(await ids([{ name: 'a' }]));
    session.dispose();
  });

  it('says which adapters cannot be mixed, and which names there are', async () => {
    const session = await open('a', 'soft');
    await expect(ask(session, [{ name: 'soft', weight: 0.5 }])).rejects.toThrow(
      'the PROMPT_TUNING adapter "soft" can\'t be mixed with others or given a strength',
    );
    await expect(ask(session, [{ name: 'a' }, { name: 'soft' }])).rejects.toThrow(/PROMPT_TUNING/);
    await expect(ask(session, [{ name: 'x' }])).rejects.toMatchObject({ hint: 'Loaded: "base", "a", "soft".' });
    await expect(session.loadFolder('base', path('a'))).rejects.toThrow(/name of the base model/);
    expect(() => session.unload('base')).toThrow(/can't be unloaded/);
    session.dispose();
  });

  it('loads in place of a name and unloads, while answers go on', async () => {
    const session = await open('a', 'b');
    const expected = {
      a: (await ask(session, [{ name: 'a' }])).token_ids,
      b: (await ask(session, [{ name: 'b' }])).token_ids,
    };
    const underWay = [ask(session, [{ name: 'a' }]), ask(session, [{ name: 'b' }])];
    await session.loadFolder('a', path('b'));
    session.unload('b');
    expect((await Promise.all(underWay)).map(({ token_ids: ids }) => ids)).toEqual([expected.a, expected.b]);
    expect((await ask(session, [{ name: 'a' }])).token_ids).toEqual(expected.b);
    await expect(ask(session, [{ name: 'b' }])).rejects.toThrow('no adapter is loaded under the name "b"');
    session.dispose();
  });

  it('reads only what is new in a follow-up, for the same adapters', async () => {
    const session = await open('a');
    const { token_ids: ids, usage } = await ask(session, [{ name: 'a' }]);
    expect(usage).toMatchObject({ cached_tokens: 0, completion_tokens: ids.length });
    const again = await ask(session, [{ name: 'a' }]);
    expect(again.usage.cached_tokens).toBe(again.usage.prompt_tokens - 1);
    expect((await ask(session, [{ name: 'a', weight: 0.9 }])).usage.cached_tokens).toBe(0);
    expect((await ask(session, [])).usage.cached_tokens).toBe(0);
    await session.loadFolder('a', path('b'));
    expect((await ask(session, [{ name: 'a' }])).usage.cached_tokens).toBe(0);
    session.dispose();
  });

  it('says how likely an answer is, as when it was generated, and for other adapters', async () => {
    const session = await open('a', 'b', 'soft', 'vectors');
    // Longer than the logits that are in memory at once.
    const asked = {
      prompt: 'Hello there',
      sampling: { max_new_tokens: 40, temperature: 1.5, seed: 3 },
      top_logprobs: 3,
    };
    const mixtures = [
      [],
      [{ name: 'a' }],
      [{ name: 'a', weight: 0.5 }, { name: 'b' }],
      [{ name: 'soft' }],
      [{ name: 'vectors' }],
    ];
    const answers = await Promise.all(mixtures.map(adapters => session.generate({ ...asked, adapters })));
    for (const [i, adapters] of mixtures.entries()) {
      const { token_ids: ids, logprobs: generated } = answers[i]!;
      const scored = await session.score({ ...asked, adapters, token_ids: ids });
      expectClose(scored, generated!);
      // Also where nothing is kept of the answer, and while others are decoded.
      const other = mixtures[(i + 1) % mixtures.length]!;
      const [there, again] = await Promise.all([
        session.score({ ...asked, adapters: other, token_ids: ids }),
        session.score({ ...asked, adapters, token_ids: ids }),
        session.generate({ ...asked, adapters: other }),
      ]);
      expectClose(again, generated!);
      expect(there.map(({ id }) => id)).toEqual(ids);
      expect(there.some(({ logprob }, at) => Math.abs(logprob - scored[at]!.logprob) > 0.01)).toBe(true);
    }
    expect(await session.score({ prompt: 'Hello', token_ids: [5] })).toMatchObject([{ id: 5, top: [] }]);
    session.dispose();
  });

  it('refuses to score tokens that the model doesn’t have, an empty prompt, and more than the context', async () => {
    const session = await open();
    const refused = (input: object) => session.score({ prompt: 'Hello', token_ids: [1], ...input });
    await expect(refused({ token_ids: [600] })).rejects.toThrow(/id 600, but the model’s embedding only 522 rows/);
    await expect(refused({ prompt: '' })).rejects.toThrow('there is no text to continue');
    await expect(refused({ token_ids: Array.from({ length: 256 }, () => 7) })).rejects.toThrow(/at most 256/);
    const aborted = AbortSignal.abort();
    await expect(session.score({ prompt: 'Hello', token_ids: [1] }, { signal: aborted })).rejects.toThrow(/cancelled/i);
    session.dispose();
  });

  it('streams pieces that make up the answer, and ends cancelled ones', async () => {
    const session = await open();
    const pieces: Piece[] = [];
    const request = { messages: [{ role: 'user', content: 'Hi' }], sampling: { max_new_tokens: 20 } };
    const answer = await session.generate(request, { onPiece: piece => pieces.push(piece) });
    expect(pieces.map(({ text }) => text).join('')).toBe(answer.text);
    const controller = new AbortController();
    let tokens = 0;
    const cancelled = session.generate(request, {
      signal: controller.signal,
      onToken: () => void (++tokens === 3 && controller.abort()),
    });
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
    expect(tokens).toBe(3);
    const underWay = session.generate(request);
    session.dispose();
    await expect(underWay).rejects.toMatchObject({ code: 'cancelled' });
  });
});
