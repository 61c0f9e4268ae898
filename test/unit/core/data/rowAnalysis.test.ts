import { describe, expect, test } from 'vitest';
import { chooseFormat } from '../../../../extension/src/core/data/chooseFormat.js';
import { fingerprint, FingerprintSet } from '../../../../extension/src/core/data/fingerprint.js';
import type { Row } from '../../../../extension/src/core/data/example.js';
import { formatByName, resolveFormat } from '../../../../extension/src/core/data/resolveFormat.js';
import { findRoleFault } from '../../../../extension/src/core/data/roleOrder.js';
import {
  labelledRuns,
  measureExample,
  readExample,
  type ReadingOptions,
} from '../../../../extension/src/core/data/rowAnalysis.js';
import { fixtureTokenizer } from '../text/tokenizerFixtures.js';

const gpt2 = fixtureTokenizer('gpt2');
const smollm = fixtureTokenizer('smollm');

function options(format: string, maxLength = 512, truncation: ReadingOptions['truncation'] = 'end'): ReadingOptions {
  return {
    format: formatByName(format),
    columns: {},
    maxLength,
    trainOn: 'completions',
    truncation,
    chatTemplate: null,
  };
}

function analyse(row: Row, reading: ReadingOptions, tokenizer = gpt2) {
  const { example, problems } = readExample(row, reading);
  if (!example) return { tokens: 0, labelTokens: 0, codes: problems.map(({ code }) => code), problems };
  const measured = measureExample(example, tokenizer, reading);
  const all = [...problems, ...measured.problems];
  return { ...measured, codes: all.map(({ code }) => code), problems: all };
}

describe('lengths and truncation', () => {
  const row = { prompt: 'The weather', completion: ' is counting' };

  test('tokens and label tokens, as the engine encodes them', () => {
    const encoded = [...gpt2.encode('The weather is counting'), gpt2.eosTokenId];
    const context = gpt2.encode('The weather').length;
    expect(analyse(row, options('prompt_completion'))).toMatchObject({
      tokens: encoded.length,
      labelTokens: encoded.length - context,
      codes: [],
    });
  });

  test('an answer that is truncated, one that is cut off, and one that is dropped', () => {
    const { tokens, labelTokens } = analyse(row, options('prompt_completion'));
    expect(analyse(row, options('prompt_completion', tokens - 1))).toMatchObject({
      labelTokens: labelTokens - 1,
      codes: ['truncated_answer'],
    });
    expect(analyse(row, options('prompt_completion', tokens - labelTokens)).codes).toEqual(['all_masked']);
    const dropped = analyse(row, options('prompt_completion', tokens - 1, 'drop'));
    expect(dropped.problems[0].message).toContain('skipped');
  });

  test('labels that are all masked', () => {
    expect(analyse({ input_ids: [5, 6], labels: [-100, -100] }, options('tokenized')).codes).toEqual(['all_masked']);
    expect(analyse({ input_ids: [5, 6], labels: [5, -100] }, options('tokenized')).codes).toEqual(['all_masked']);
  });

  test('an empty answer that is trained on, and one that leaves nothing to train on', () => {
    const messages = (content: string) => ({
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content },
      ],
    });
    const trained = analyse(messages(''), options('messages'), smollm);
    expect(trained.labelTokens).toBeGreaterThan(0);
    expect(trained.problems).toMatchObject([
      { code: 'empty_answer', message: 'message 2 is an empty answer: the model is trained to say nothing there' },
    ]);
    expect(analyse(messages('Hello'), options('messages'), smollm).codes).toEqual([]);
    const text = analyse({ text: '' }, options('text'));
    expect(text.labelTokens).toBe(0);
    expect(text.problems).toMatchObject([
      { code: 'empty_answer', message: 'the text is empty: no token of this row is trained on' },
    ]);
  });

  test('the parts add up to the whole text', () => {
    const messages = [
      { role: 'user', content: 'Hi there' },
      { role: 'assistant', content: 'Good day' },
    ];
    const [encoded] = (analyse({ messages }, options('messages'), smollm) as ReturnType<typeof measureExample>).encoded;
    const runs = labelledRuns(encoded!, smollm, 512);
    expect(runs.map(run => run.text).join('')).toBe(smollm.decode(encoded!.inputIds));
    expect(runs.filter(run => run.kind === 'trained').map(run => run.text)).toEqual(['Good day<|im_end|>']);
    const cut = labelledRuns(encoded!, smollm, encoded!.inputIds.length - 2);
    expect(cut.at(-1)).toMatchObject({ kind: 'cut', tokens: 2 });
  });

  test('a row that is not in the format: the message says what is missing', () => {
    const { codes, problems } = analyse({ prompt: 'a' }, options('prompt_completion'));
    expect(codes).toEqual(['invalid_row']);
    expect(problems[0].message).toContain('"completion" is missing');
  });
});

describe('preference pairs', () => {
  const pair = (chosen: string, rejected: string) => ({
    prompt: [{ role: 'user', content: 'Hi' }],
    chosen: [{ role: 'assistant', content: chosen }],
    rejected: [{ role: 'assistant', content: rejected }],
  });
  const measured = (chosen: string, rejected: string, changes: object = {}) =>
    analyse(pair(chosen, rejected), { ...options('preference'), ...changes }, smollm) as ReturnType<
      typeof measureExample
    >;

  test('have two sequences with the prompt in both, of which no token is trained on', () => {
    const { encoded, tokens, labelTokens, problems } = measured('Yes', 'No, and go away');
    expect(encoded.map(({ inputIds }) => inputIds.length === tokens)).toEqual([false, true]);
    expect(labelTokens).toBe(0);
    expect(problems).toEqual([]);
    const runs = encoded.flatMap(each => labelledRuns(each, smollm, 512));
    expect(runs.map(({ kind }) => kind)).toEqual(['masked', 'masked']);
    expect(runs[0]!.text).toContain('Yes');
    expect(runs[1]!.text).toContain('go away');
  });

  test('problems name the answer', () => {
    expect(measured('Yes', 'Yes').problems).toEqual([
      { code: 'same_answers', message: 'the chosen answer and the rejected one are the same' },
    ]);
    expect(measured('Yes', '').problems).toMatchObject([
      { code: 'empty_answer', message: expect.stringMatching(/^rejected: /) },
    ]);
    const long = measured('Yes', 'No and no and no and no', { maxLength: measured('Yes', 'Yes').tokens });
    expect(long.problems).toMatchObject([{ code: 'truncated_answer', message: expect.stringMatching(/^rejected: /) }]);
  });
});

describe('role order', () => {
  const messages = (...roles: string[]) => ({ messages: roles.map(role => ({ role, content: 'x' })) });
  const turns = (...from: string[]) => ({ conversations: from.map(each => ({ from: each, value: 'x' })) });

  test.each([
    ['a chat', messages('system', 'user', 'assistant', 'user', 'assistant')],
    ['a tool', messages('user', 'assistant', 'tool', 'assistant')],
    ['ShareGPT', turns('system', 'human', 'gpt')],
    ['ShareGPT with calls', turns('human', 'function_call', 'observation', 'gpt')],
    ['names of other tools', messages('human', 'gpt', 'User', 'model', 'prompter', 'bot')],
    ['not a chat', { prompt: 'a', completion: 'b' }],
  ])('%s is in order', (_, row) => expect(findRoleFault(row)).toBeNull());

  test('several calls, several results', () => {
    const call = { role: 'assistant', content: '', tool_calls: [{}] };
    const rest = messages('tool', 'tool', 'assistant').messages;
    expect(findRoleFault({ messages: [{ role: 'user', content: 'x' }, call, ...rest] })).toBeNull();
  });

  test.each([
    ['two answers', messages('user', 'assistant', 'assistant'), 2, 'user'],
    ['two questions', messages('user', 'user', 'assistant'), 1, 'assistant'],
    ['an answer first', messages('assistant', 'user', 'assistant'), 0, 'user'],
    ['a system message in the middle', messages('user', 'system', 'assistant'), 1, null],
    ['no answer at the end', messages('user', 'assistant', 'user'), 2, null],
    ['a role that templates don’t know', messages('user', 'narrator'), 1, 'assistant'],
    ['roles in another column', { conversation: messages('gpt', 'human').messages }, 0, 'user'],
    ['ShareGPT: two answers', turns('human', 'gpt', 'gpt'), 2, 'human'],
  ])('%s', (_, row, index, expected) => {
    const fault = findRoleFault(row);
    expect(fault?.path[1]).toBe(index);
    expect(fault?.expected).toBe(expected);
  });

  test('reported once, whether or not the format rejects the row', () => {
    expect(analyse(turns('human', 'narrator'), options('sharegpt')).codes).toEqual(['wrong_role_order']);
    expect(analyse(turns('human', 'gpt', 'gpt'), options('sharegpt'), smollm).codes).toEqual(['wrong_role_order']);
    expect(analyse(messages('user', 'assistant', 'assistant'), options('messages'), smollm).codes).toEqual([
      'wrong_role_order',
    ]);
  });
});

describe('chooseFormat', () => {
  const good = { prompt: 'a', completion: 'b' };

  test('the format that all rows fit, or most of them', () => {
    expect(chooseFormat([good, good])?.format.name).toBe('prompt_completion');
    expect(chooseFormat([good, { prompt: 'a' }, good])?.format.name).toBe('prompt_completion');
    const mapped = [{ row: { q: 'a', a: 'b' }, source: { file: '', line: 1 } }];
    expect(resolveFormat(mapped, 'auto', { prompt: 'q', completion: 'a' }).format.name).toBe('prompt_completion');
  });

  test('null for what is not a dataset', () => {
    expect(chooseFormat([{ level: 'info', time: 1 }])).toBeNull();
    expect(chooseFormat([{ level: 'info' }, { level: 'info' }, good])).toBeNull();
    expect(chooseFormat([])).toBeNull();
  });
});

describe('fingerprints', () => {
  test('differ among 200,000 similar texts', () => {
    const seen = new Set(Array.from({ length: 200_000 }, (_, i) => fingerprint(`row number ${i}`)));
    expect(seen.size).toBe(200_000);
    expect(Math.max(...[...seen].slice(0, 1000))).toBeLessThanOrEqual(Number.MAX_SAFE_INTEGER);
  });

  test('the set returns the first row of each', () => {
    const values = Array.from({ length: 5000 }, (_, i) => fingerprint(String(i % 4000)));
    const set = new FingerprintSet(row => values[row]);
    const repeats = values.map((_, row) => set.add(row));
    expect(repeats.slice(0, 4000).every(row => row === -1)).toBe(true);
    expect(repeats.slice(4000)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(set.find(fingerprint('not there'))).toBe(-1);
  });
});
