// Requests to a session with every option, on the embedded model: sampling and seeds, stop texts, log-probabilities, long histories.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Session } from '../../../../extension/src/engine/generation/session.js';
import { openSession } from '../../../../extension/src/engine/run/openSession.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import {
  sessionOptionsSchema,
  type GenerationInput,
  type Piece,
} from '../../../../extension/src/protocol/sessionMessages.js';

const question = 'What is the capital of France?';
const ask = (input: Partial<GenerationInput> = {}): GenerationInput => ({
  messages: [{ role: 'user', content: question }],
  ...input,
});
let session: Session;
beforeAll(async () => {
  session = await openSession(sessionOptionsSchema.parse({ model: 'embedded:tiny', folder: '.' }), [], silentReporter);
});
afterAll(() => session.dispose());

describe('an answer of a session', () => {
  it('is the same for the same seed, alone and beside others', async () => {
    const sampling = { temperature: 5, top_k: 400, top_p: 0.95, min_p: 0.001, seed: 5, max_new_tokens: 16 };
    const alone = await session.generate(ask({ sampling }));
    const seeds = [5, 6, 7];
    const together = await Promise.all(seeds.map(seed => session.generate(ask({ sampling: { ...sampling, seed } }))));
    expect(together[0]!.token_ids).toEqual(alone.token_ids);
    expect(together[1]!.token_ids).not.toEqual(alone.token_ids);
  });

  it('ends before a stop text, which may be a part of a token or of several', async () => {
    const whole = await session.generate(ask({ sampling: { max_new_tokens: 24 } }));
    for (let at = 1; at + 3 <= whole.text.length; at += 2) {
      const stop = whole.text.slice(at, at + 3);
      const pieces: Piece[] = [];
      const onPiece = (piece: Piece) => void pieces.push(piece);
      const found = await session.generate(ask({ sampling: { max_new_tokens: 24, stop: [stop] } }), { onPiece });
      expect(found.text).toBe(whole.text.slice(0, whole.text.indexOf(stop)));
      expect(pieces.map(({ text }) => text).join('')).toBe(found.text);
      expect(found.finish_reason).toBe('stop');
    }
  });

  it('has log-probabilities, of which greedy decoding takes the highest', async () => {
    const plain = await session.generate(ask({ sampling: { max_new_tokens: 8 } }));
    const found = await session.generate(ask({ sampling: { max_new_tokens: 8 }, top_logprobs: 3 }));
    expect(found.token_ids).toEqual(plain.token_ids);
    expect(found.logprobs!.map(({ id }) => id)).toEqual(plain.token_ids);
    for (const { id, logprob, top } of found.logprobs!) {
      expect(top[0]).toMatchObject({ id, logprob });
      expect(top.map(each => each.logprob)).toEqual(top.map(each => each.logprob).toSorted((a, b) => b - a));
    }
    expect(found.logprobs!.map(({ text }) => text).join('')).toBe(found.text);
    expect(plain.logprobs).toBe(null);
  });

  it('penalties change a greedy answer: no token comes twice', async () => {
    const sampling = { max_new_tokens: 12, presence_penalty: 2, frequency_penalty: 2, repetition_penalty: 100 };
    const { token_ids: ids } = await session.generate(ask({ sampling }));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('continues a text without a template', async () => {
    const { usage, text, reasoning } = await session.generate({
      prompt: 'The capital',
      sampling: { max_new_tokens: 4 },
    });
    expect(usage.prompt_tokens).toBe(session.countTokens({ text: 'The capital' }));
    expect([typeof text, reasoning]).toEqual(['string', '']);
  });

  it('leaves out the oldest exchanges of a history that is longer than the context', async () => {
    const turns = Array.from({ length: 60 }, () => [
      { role: 'user', content: question },
      { role: 'assistant', content: 'The capital of France is Paris.' },
    ]).flat();
    const messages = [...turns, { role: 'user', content: question }];
    const { context_length: context } = session.facts;
    expect(session.countTokens({ messages })).toBeGreaterThan(context);
    const { dropped_turns: dropped, usage } = await session.generate(
      ask({ messages, sampling: { max_new_tokens: 8 } }),
    );
    expect(dropped).toBeGreaterThan(0);
    expect(dropped % 2).toBe(0);
    expect(usage.prompt_tokens).toBe(session.countTokens({ messages: messages.slice(dropped) }));
    expect(usage.prompt_tokens + 8).toBeLessThanOrEqual(context);
    const tooLong = [{ role: 'user', content: `${question} `.repeat(200) }];
    await expect(session.generate(ask({ messages: tooLong }))).rejects.toThrow(/the prompt has \d+ tokens/);
  });

  it('says why it ends', async () => {
    const cut = await session.generate(ask({ sampling: { max_new_tokens: 1 } }));
    expect(cut).toMatchObject({ finish_reason: 'length', usage: { completion_tokens: 1, reasoning_tokens: 0 } });
    expect(session.facts.template_variables).toEqual([]);
  });
});
