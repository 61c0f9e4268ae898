// A suite asked of a session: which requests it gets, how many at once, and what is left after an interruption or a failure.
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it, test } from 'vitest';
import { CancelledError } from '../../../../extension/src/core/codedError.js';
import { parseSuiteRow } from '../../../../extension/src/core/evaluation/suite.js';
import { InputError } from '../../../../extension/src/core/inputError.js';
import { answerSuite } from '../../../../extension/src/engine/run/answerSuite.js';
import { MOST_ROWS } from '../../../../extension/src/engine/generation/batch.js';
import { BASE, type Session } from '../../../../extension/src/engine/generation/session.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import type { GenerationAnswer, GenerationInput } from '../../../../extension/src/protocol/sessionMessages.js';

const suite = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    parseSuiteRow(
      { prompt: `p${i}`, checks: [{ type: 'contains', value: 'p' }], max_new_tokens: 7 },
      { file: 's.eval.jsonl', line: i + 1 },
    ),
  );

/** Answers with the prompt and the adapter's name. */
function fakeSession(of: (request: GenerationInput, number: number) => Partial<GenerationAnswer> = () => ({})) {
  const requests: GenerationInput[] = [];
  const seen = { open: 0, most: 0 };
  const session: Pick<Session, 'generate'> = {
    async generate(request, { signal } = {}) {
      seen.most = Math.max(seen.most, ++seen.open);
      const number = requests.push(request);
      try {
        await setTimeout(1);
        const changes = of(request, number);
        if (signal?.aborted) throw new CancelledError();
        const text = `${request.messages![0]!.content} ${request.adapters![0]?.name ?? 'base'}`;
        const usage = { prompt_tokens: 1, cached_tokens: 0, completion_tokens: 2, reasoning_tokens: 0 };
        return { text, tool_calls: [], finish_reason: 'stop', usage, dropped_turns: 0, ...changes } as GenerationAnswer;
      } finally {
        seen.open--;
      }
    },
  };
  return { session, requests, seen };
}

const ask = async (session: Pick<Session, 'generate'>, count: number, stop = new AbortController()) => {
  const warnings: string[] = [];
  const progress: string[] = [];
  const reporter = {
    progress: (phase: string, done: number, total: number | null) => void progress.push(`${phase} ${done}/${total}`),
    warn: (code: string) => void warnings.push(code),
  };
  const models = await answerSuite(session, suite(count), [BASE, 'a', 'b'], { reporter, signal: stop.signal });
  return { models, warnings, progress };
};

test('each row is asked of the base and each adapter, greedily, many at once', async () => {
  const { session, requests, seen } = fakeSession();
  const { models, warnings, progress } = await ask(session, 20);
  expect(models.map(({ name, rows }) => [name, rows[19]!.answer])).toEqual([
    ['base', 'p19 base'],
    ['a', 'p19 a'],
    ['b', 'p19 b'],
  ]);
  expect(requests).toHaveLength(60);
  expect(requests[1]).toEqual({
    messages: [{ role: 'user', content: 'p0' }],
    adapters: [{ name: 'a' }],
    sampling: { max_new_tokens: 7 },
  });
  expect(seen.most).toBe(MOST_ROWS);
  expect(progress.at(-1)).toBe('answer 60/60');
  expect(warnings).toEqual([]);
});

describe('what is told', () => {
  it('answers that were cut off, and conversations that were shortened', async () => {
    const { session } = fakeSession(({ adapters }) =>
      adapters![0]?.name === 'b' ? { finish_reason: 'length' } : { dropped_turns: 1 },
    );
    expect((await ask(session, 2)).warnings).toEqual(['answers_cut_off', 'turns_dropped']);
  });

  it('the row that a model can’t be asked, with its place; nothing is asked afterwards', async () => {
    const { session, requests } = fakeSession(({ messages }) => {
      if (messages![0]!.content === 'p4') throw new InputError('the prompt is too long', { key: 'prompt' });
      return {};
    });
    const failure = await ask(session, 50).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(InputError);
    expect((failure as InputError).describe()).toBe('s.eval.jsonl:5: prompt: the prompt is too long');
    expect(requests.length).toBeLessThan(60);
  });

  it('a JSON schema that is made to take long, with its row', async () => {
    // Each of 40 definitions tries the next one twice.
    const twice = (i: number) => ({ anyOf: [{ $ref: `#/$defs/d${i}` }, { $ref: `#/$defs/d${i}` }] });
    const $defs = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`d${i}`, i < 39 ? twice(i + 1) : false]));
    const row = { prompt: 'p', checks: [{ type: 'json', schema: { ...twice(0), $defs } }] };
    const { session } = fakeSession(() => ({ text: '1' }));
    const options = { reporter: silentReporter, signal: new AbortController().signal };
    const answered = answerSuite(session, [parseSuiteRow(row, { file: 's.eval.jsonl', line: 8 })], [BASE], options);
    const failure = await answered.catch((error: unknown) => error);
    expect((failure as InputError).where).toBe('s.eval.jsonl:8: checks');
  });

  it('a fault of the program, as it is', async () => {
    const { session } = fakeSession((_, number) => {
      if (number === 3) throw new TypeError('fault');
      return {};
    });
    await expect(ask(session, 9)).rejects.toThrow(TypeError);
  });
});

test('after an interruption there are the rows that all models have answered', async () => {
  const stop = new AbortController();
  const { session } = fakeSession((_, number) => {
    if (number === 40) stop.abort();
    return {};
  });
  const { models } = await ask(session, 50, stop);
  const counts = models.map(({ rows }) => rows.length);
  expect(new Set(counts).size).toBe(1);
  expect(counts[0]).toBeGreaterThan(0);
  expect(counts[0]).toBeLessThan(20);
  for (const { rows } of models) expect(rows.map(({ id }) => id)).toEqual(models[0]!.rows.map(({ id }) => id));
});
