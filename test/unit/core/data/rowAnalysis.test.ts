import { describe, expect, test } from 'vitest';
import { chooseFormat } from '../../../../extension/src/core/data/chooseFormat.js';
import { fingerprint, FingerprintSet } from '../../../../extension/src/core/data/fingerprint.js';
import type { Row } from '../../../../extension/src/core/data/example.js';
import { formatByName } from '../../../../extension/src/core/data/resolveFormat.js';
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

describe('lengths and what is cut', () => {
  const row = { prompt: 'The weather', completion: ' is counting' };

  test('tokens and those that are learnt, as the engine encodes them', () => {
    const encoded = [...gpt2.encode('The weather is counting'), gpt2.eosTokenId];
    const given = gpt2.encode('The weather').length;
    expect(analyse(row, options('prompt_completion'))).toMatchObject({
      tokens: encoded.length,
      labelTokens: encoded.length - given,
      codes: [],
    });
  });

  test('an answer that is cut, one that is gone, and one that is dropped', () => {
    const { tokens, labelTokens } = analyse(row, options('prompt_completion'));
    expect(analyse(row, options('prompt_completion', tokens - 1))).toMatchObject({
      labelTokens: labelTokens - 1,
      codes: ['truncated_answer'],
    });
    expect(analyse(row, options('prompt_completion', tokens - labelTokens)).codes).toEqual(['all_masked']);
    const dropped = analyse(row, options('prompt_completion', tokens - 1, 'drop'));
    expect(dropped.problems[0].message).toContain('left out');
  });

  test('labels that are all masked', () => {
    expect(analyse({ input_ids: [5, 6], labels: [-100, -100] }, options('tokenized')).codes).toEqual(['all_masked']);
    expect(analyse({ input_ids: [5, 6], labels: [5, -100] }, options('tokenized')).codes).toEqual(['all_masked']);
  });

  test('stretches are the whole text, told apart', () => {
    const messages = [
      { role: 'user', content: 'Hi there' },
      { role: 'assistant', content: 'Good day' },
    ];
    const { encoded } = analyse({ messages }, options('messages'), smollm) as ReturnType<typeof measureExample>;
    const runs = labelledRuns(encoded!, smollm, 512);
    expect(runs.map(run => run.text).join('')).toBe(smollm.decode(encoded!.inputIds));
    expect(runs.filter(run => run.kind === 'trained').map(run => run.text)).toEqual(['Good day<|im_end|>']);
    const cut = labelledRuns(encoded!, smollm, encoded!.inputIds.length - 2);
    expect(cut.at(-1)).toMatchObject({ kind: 'cut', tokens: 2 });
  });

  test('a row that is not of the format says what is missing', () => {
    const { codes, problems } = analyse({ prompt: 'a' }, options('prompt_completion'));
    expect(codes).toEqual(['invalid_row']);
    expect(problems[0].message).toContain('"completion" is missing');
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
    ['no chat', { prompt: 'a', completion: 'b' }],
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
    ['a role that templates don’t know', messages('user', 'bot'), 1, 'assistant'],
    ['ShareGPT words in messages', messages('human', 'gpt'), 0, 'user'],
    ['ShareGPT: two answers', turns('human', 'gpt', 'gpt'), 2, 'human'],
  ])('%s', (_, row, index, expected) => {
    const fault = findRoleFault(row);
    expect(fault?.path[1]).toBe(index);
    expect(fault?.expected).toBe(expected);
  });

  test('told once, whether or not the format refuses the row', () => {
    expect(analyse(turns('human', 'gpt', 'gpt'), options('sharegpt')).codes).toEqual(['wrong_role_order']);
    expect(analyse(messages('user', 'assistant', 'assistant'), options('messages'), smollm).codes).toEqual([
      'wrong_role_order',
    ]);
  });
});

describe('which format', () => {
  const good = { prompt: 'a', completion: 'b' };

  test('the one that all rows fit, or that most do', () => {
    expect(chooseFormat([good, good], 'auto', {})?.name).toBe('prompt_completion');
    expect(chooseFormat([good, { prompt: 'a' }, good], 'auto', {})?.name).toBe('prompt_completion');
    expect(chooseFormat([{ q: 'a', a: 'b' }], 'auto', { prompt: 'q', completion: 'a' })?.name).toBe(
      'prompt_completion',
    );
  });

  test('none for what is no dataset', () => {
    expect(chooseFormat([{ level: 'info', time: 1 }], 'auto', {})).toBeNull();
    expect(chooseFormat([{ level: 'info' }, { level: 'info' }, good], 'auto', {})).toBeNull();
    expect(chooseFormat([], 'auto', {})).toBeNull();
  });
});

describe('fingerprints', () => {
  test('differ for texts that differ little, among 200,000', () => {
    const seen = new Set(Array.from({ length: 200_000 }, (_, i) => fingerprint(`row number ${i}`)));
    expect(seen.size).toBe(200_000);
    expect(Math.max(...[...seen].slice(0, 1000))).toBeLessThanOrEqual(Number.MAX_SAFE_INTEGER);
  });

  test('the set gives the first row of each', () => {
    const values = Array.from({ length: 5000 }, (_, i) => fingerprint(String(i % 4000)));
    const set = new FingerprintSet(row => values[row]);
    const repeats = values.map((_, row) => set.add(row));
    expect(repeats.slice(0, 4000).every(row => row === -1)).toBe(true);
    expect(repeats.slice(4000)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(set.find(fingerprint('not there'))).toBe(-1);
  });
});
