// Weights and masks of rows, as the tools that write them mean them (named in formats/lossKeys.ts).
import { describe, expect, test } from 'vitest';
import { encodeExample } from '../../../../extension/src/core/data/encodeExample.js';
import type { ChatMessage, Row, SequenceExample } from '../../../../extension/src/core/data/example.js';
import { formatByName } from '../../../../extension/src/core/data/resolveFormat.js';
import { fixtureTokenizer } from '../text/tokenizerFixtures.js';

const source = { file: 'rows.jsonl', line: 7 };
const parse = (format: string, row: Row) => formatByName(format).parse(row, source);
const failsWith = (format: string, row: Row, message: RegExp) =>
  expect(() => parse(format, row)).toThrow(
    expect.objectContaining({ name: 'InputError', where: 'rows.jsonl:7', message: expect.stringMatching(message) }),
  );

const smollm = fixtureTokenizer('smollm');
/** The texts that are trained on. */
function trained(format: string, row: Row, trainOn: 'completions' | 'all' = 'completions'): string[] {
  const { inputIds, labels } = encodeExample(parse(format, row) as SequenceExample, smollm, { trainOn });
  const parts: number[][] = [];
  labels.forEach((label, i) => {
    if (label < 0) return;
    if (i === 0 || labels[i - 1]! < 0) parts.push([]);
    parts[parts.length - 1]!.push(inputIds[i]!);
  });
  return parts.map(ids => smollm.decode(ids));
}

const chat = (keys: Record<string, unknown>, user: Record<string, unknown> = {}) => ({
  messages: [
    { role: 'user', content: '2 + 2?', ...user },
    { role: 'assistant', content: 'Five.', ...keys },
    { role: 'user', content: 'Sure?' },
    { role: 'assistant', content: 'No, four.' },
  ],
});
const shareGpt = (keys: Record<string, unknown>) => ({
  conversations: [
    { from: 'human', value: '2 + 2?' },
    { from: 'gpt', value: 'Five.', ...keys },
    { from: 'human', value: 'Sure?' },
    { from: 'gpt', value: 'No, four.' },
  ],
});
const both = ['Five.<|im_end|>', 'No, four.<|im_end|>'];
const second = ['No, four.<|im_end|>'];

describe('a turn', () => {
  test.each([
    { weight: 0 },
    { weight: 0.0 },
    { weight: '0' },
    { weight: false },
    { train: false },
    { training: false },
    { loss: false },
    { loss_weight: 0 },
    { loss_scale: 0 },
    { weight: 1, train: false },
    { step_loss_mask: 0 },
    { loss_mask: 0 },
    { trainable: false },
    { masked: true },
  ])('%j takes no loss', keys => {
    expect(trained('messages', chat(keys))).toEqual(second);
    expect(trained('sharegpt', shareGpt(keys))).toEqual(second);
  });

  test.each([
    {},
    { weight: 1 },
    { weight: null },
    { train: true, train_detail: [] },
    { loss: true },
    { loss_weight: 1 },
    { step_loss_mask: 1 },
    { trainable: true },
    { masked: false },
  ])('%j takes loss', keys => {
    expect(trained('messages', chat(keys))).toEqual(both);
    expect(trained('sharegpt', shareGpt(keys))).toEqual(both);
  });

  test.each([
    [{ weight: 0.5 }, /\.weight is 0\.5, but a turn has the weight 0 or 1/],
    [{ weight: -1 }, /\.weight is -1/],
    [{ loss_scale: 2 }, /\.loss_scale is 2/],
    [{ loss: 'maybe' }, /\.loss is "maybe"/],
    [{ train_detail: [{ begin_offset: 0, end_offset: 3, train: false }] }, /\.train_detail marks parts of a turn/],
  ])('%j is an error that names the key', (keys, message) => {
    failsWith('messages', chat(keys), message);
    failsWith('sharegpt', shareGpt(keys), message);
  });

  test('of another role: what a tool would train on is an error, what it ignores is not', () => {
    for (const key of ['train', 'training', 'loss', 'loss_weight', 'trainable'])
      failsWith('messages', chat({}, { [key]: 1 }), new RegExp(`messages\\[0\\]\\.${key} asks to train`));
    expect(trained('messages', chat({}, { weight: 1, loss_scale: 1 }))).toEqual(both);
    expect(trained('messages', chat({}, { weight: 0, train: false, loss: false, loss_weight: 0 }))).toEqual(both);
  });

  test('with marked parts, as axolotl reads them: an error if a part would be left out, or another role’s trained on', () => {
    const parts = (mark: Record<string, unknown>) => [
      { type: 'text', text: 'No, ', ...mark },
      { type: 'text', text: 'four.', train: true },
    ];
    for (const mark of [{ train: false }, { weight: 0 }, { masked: true }]) {
      const place = /\[1\]\.(content|value)\[0\] marks parts of a turn/;
      failsWith('messages', chat({ content: parts(mark) }), place);
      failsWith('sharegpt', shareGpt({ value: parts(mark) }), place);
    }
    expect(trained('messages', chat({ content: parts({ weight: 1 }) }))).toEqual(['No, four.<|im_end|>', second[0]]);
    const question = [{ type: 'text', text: '2 + 2?', train: false }];
    expect(trained('messages', chat({}, { content: question }))).toEqual(both);
    failsWith('messages', chat({}, { content: parts({}) }), /messages\[0\]\.content\[1\]\.train asks to train/);
  });

  test('takes no loss with train_on "all" either, and in messages of prompt and completion', () => {
    const [text] = [trained('messages', chat({ weight: 0 }), 'all').join('|')];
    expect(text).toContain('Sure?');
    expect(text).not.toContain('Five.');
    const { messages } = chat({}) as { messages: ChatMessage[] };
    const row = { prompt: messages.slice(0, 1), completion: [{ ...messages[1]!, weight: 0 }, ...messages.slice(2)] };
    expect(trained('prompt_completion', row)).toEqual(second);
  });
});

describe('a row', () => {
  test.each([
    [{ weight: 2 }, /"weight" is a weight of the whole row/],
    [{ weight: 0 }, /"weight" is a weight of the whole row/],
    [{ sample_weight: 0.5 }, /"sample_weight"/],
    [{ label: false }, /"label" marks an answer that is not wanted \(KTO\)/],
    [{ label: 'False' }, /"label"/],
    [{ kto_tag: false }, /"kto_tag"/],
    [{ images: ['a.png'] }, /"images" is media/],
    [{ image: 'a.png' }, /"image" is media/],
    [{ mask: 'Assistant' }, /"mask" masks another role/],
  ])('%j is an error', (keys, message) => {
    failsWith('messages', { ...chat({}), ...keys }, message);
    failsWith('sharegpt', { ...shareGpt({}), ...keys }, message);
    failsWith('prompt_completion', { prompt: 'a', completion: 'b', ...keys }, message);
    failsWith('alpaca', { instruction: 'a', output: 'b', ...keys }, message);
    failsWith('text', { text: 'a', ...keys }, message);
  });

  test('with an integer of more than 53 bits, a bigint, is that row’s error as well', () => {
    const long = 12345678901234567890n;
    failsWith('text', { text: 'a', weight: long }, /"weight" is a weight of the whole row.* \(12345678901234567890\)/);
    failsWith('text', { text: 'a', images: [long] }, /"images" is media.* \(\[12345678901234567890\]\)/);
    failsWith('messages', chat({ weight: long }), /\.weight is 12345678901234567890, but/);
    failsWith('messages', chat({}, { content: [{ type: long }] }), /a part that isn't text \(12345678901234567890\)/);
  });

  test.each([{ weight: 1 }, { weight: 'heavy' }, { label: true }, { label: 0 }, { images: [] }, { mask: 'User' }])(
    '%j changes nothing',
    keys => expect(parse('messages', { ...chat({}), ...keys })).toEqual(parse('messages', chat({}))),
  );
});

describe('tokenized rows', () => {
  const ids = [5, 6, 7, 8];
  const row = (keys: Row) => parse('tokenized', { input_ids: ids, ...keys });

  test('padding is dropped on both sides', () => {
    expect(row({ attention_mask: [1, 1, 1, 0] })).toEqual({ kind: 'tokenized', inputIds: [5, 6, 7] });
    expect(row({ attention_mask: [false, true, true, true], labels: [-100, -100, 7, 8] })).toEqual({
      kind: 'tokenized',
      inputIds: [6, 7, 8],
      labels: [-100, 7, 8],
    });
    expect(row({ attention_mask: '[0, 1, 1, 0]' })).toEqual({ kind: 'tokenized', inputIds: [6, 7] });
  });

  test.each(['completion_mask', 'assistant_masks', 'loss_mask', 'weights', 'loss_weights', 'loss_scale'])(
    '%s leaves tokens out of the loss, as TRL does',
    key => {
      expect(row({ [key]: [0, 0, 1, 1] })).toMatchObject({ inputIds: ids, labels: [-100, -100, 7, 8] });
      expect(row({ [key]: [0, 1.0, 1, 1], labels: [5, -100, 7, 8] })).toMatchObject({ labels: [-100, -100, 7, 8] });
      expect(row({ [key]: [0, 0, 1, 1], attention_mask: [0, 1, 1, 1] })).toMatchObject({ labels: [-100, 7, 8] });
    },
  );

  test('keys of one row without packing change nothing', () => {
    const neutral = {
      special_tokens_mask: [1, 0, 0, 1],
      token_type_ids: [0, 0, 0, 0],
      position_ids: [0, 1, 2, 3],
      seq_lengths: [4],
      length: 4,
      tokens: ['a', 'b', 'c', 'd'],
      logprobs: [-0.5, -1, -0.25, 0],
      visible: [1, 1, 1, 1],
    };
    expect(row(neutral)).toEqual({ kind: 'tokenized', inputIds: ids });
    expect(row({ attention_mask: [0, 0, 1, 1], position_ids: [1, 1, 0, 1] })).toMatchObject({ inputIds: [7, 8] });
    expect(row({ attention_mask: [0, 1, 1, 1], visible: [0, 1, 1, 1] })).toMatchObject({ inputIds: [6, 7, 8] });
  });

  test.each([
    [{ attention_mask: [1, 0, 1, 1] }, /attention_mask\[1\] is 0 between tokens that are 1/],
    [{ attention_mask: [1, 1, 2, 2] }, /attention_mask\[2\] is 2, but must be 0 or 1; numbers of packed rows/],
    [{ attention_mask: [1, 1] }, /"attention_mask" has 2 entries, "input_ids" 4/],
    [{ attention_mask: 1 }, /"attention_mask" must be a list, but is a number/],
    [{ weights: [1, 0.5, 1, 1] }, /weights\[1\] is 0\.5, but must be 0 or 1; fractions/],
    [{ position_ids: [0, 1, 0, 1] }, /"position_ids" does not count from 0/],
    [{ position_ids: [4, 5, 6, 7] }, /"position_ids"/],
    [{ token_type_ids: [0, 0, 1, 1] }, /"token_type_ids"/],
    [{ seq_lengths: [2, 2] }, /"seq_lengths" names several rows/],
    [{ seq_lens: [2, 2] }, /"seq_lens" names several rows/],
    [{ response_mask: [0, 0, 1, 1] }, /"response_mask" has 0 or 1 for each token, but no such mask is known/],
    [{ prompt_mask: [true, true, false, false] }, /"prompt_mask"/],
    [{ mask: '[1, 1, 0, 0]' }, /"mask" has 0 or 1 for each token/],
  ])('%j is an error', (keys, message) => failsWith('tokenized', { input_ids: ids, ...keys }, message));
});
