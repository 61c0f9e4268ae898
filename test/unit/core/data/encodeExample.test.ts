import { describe, expect, test } from 'vitest';
import { encodeExample } from '../../../../extension/src/core/data/encodeExample.js';
import type { SequenceExample } from '../../../../extension/src/core/data/example.js';
import { InputError } from '../../../../extension/src/core/inputError.js';
import { absentTokenizer } from '../../../../extension/src/core/text/absentTokenizer.js';
import { createTokenizer } from '../../../../extension/src/core/text/huggingFaceTokenizer.js';
import { fixtureFiles, fixtureTokenizer } from '../text/tokenizerFixtures.js';

const gpt2 = fixtureTokenizer('gpt2');
const llama3 = fixtureTokenizer('llama3');
const smollm = fixtureTokenizer('smollm');
const completions = { trainOn: 'completions' } as const;

/** Decoded: the tokens before the first label, and those with labels. */
function split(example: SequenceExample, tokenizer = gpt2, options: { trainOn: 'completions' | 'all' } = completions) {
  const { inputIds, labels } = encodeExample(example, tokenizer, options);
  const start = labels.findIndex(label => label >= 0);
  expect([...labels.subarray(start)]).toEqual([...inputIds.subarray(start)]);
  return {
    context: tokenizer.decode(inputIds.subarray(0, start)),
    trained: tokenizer.decode(inputIds.subarray(start)),
  };
}

describe('completion', () => {
  const example: SequenceExample = { kind: 'completion', prompt: 'The weather', completion: ' is counting' };

  test('labels begin with the completion, which ends with eos', () => {
    expect(split(example)).toEqual({ context: 'The weather', trained: ' is counting<|endoftext|>' });
    expect(split(example, gpt2, { trainOn: 'all' })).toEqual({
      context: '',
      trained: 'The weather is counting<|endoftext|>',
    });
  });

  test('ids are those of the whole text; a token that spans the boundary is trained on', () => {
    const across: SequenceExample = { kind: 'completion', prompt: 'The wea', completion: 'ther' };
    const whole = [...gpt2.encode('The weather'), gpt2.eosTokenId];
    expect([...encodeExample(across, gpt2, completions).inputIds]).toEqual(whole);
    expect(split(across)).toEqual({ context: 'The', trained: ' weather<|endoftext|>' });
  });

  test('an existing eos is not doubled', () => {
    const ended: SequenceExample = { kind: 'completion', prompt: 'a', completion: ' b<|endoftext|>' };
    expect(split(ended).trained).toBe(' b<|endoftext|>');
  });

  test('bos as the post-processor puts it, once', () => {
    expect(split(example, llama3)).toEqual({ context: '<|begin|>The weather', trained: ' is counting<|end|>' });
    const text = { kind: 'text', text: '<|begin|>Hi' } as const;
    expect(llama3.decode(encodeExample(text, llama3, completions).inputIds)).toBe('<|begin|>Hi<|end|>');
    expect(smollm.decode(encodeExample({ kind: 'text', text: 'Hi' }, smollm, completions).inputIds)).toBe(
      'Hi<|im_end|>',
    );
    const twice = { kind: 'text', text: '<|endoftext|><|endoftext|>a' } as const;
    expect(encodeExample(twice, gpt2, completions).inputIds).toHaveLength(4);
  });
});

describe('chat', () => {
  const messages = [
    { role: 'user', content: 'a' },
    { role: 'assistant', content: 'b' },
  ];

  test('uses the template, else the plain text, else is an error', () => {
    const example: SequenceExample = { kind: 'chat', messages, plain: { prompt: 'Q: a\nA:', completion: ' b' } };
    expect(split(example)).toEqual({ context: 'Q: a\nA:', trained: ' b<|endoftext|>' });
    const inputIds = encodeExample(example, smollm, completions).inputIds;
    expect(smollm.decode(inputIds)).toContain('<|im_start|>assistant\nb<|im_end|>\n');
    const chatTemplate = '{% for m in messages %}<{{ m.content }}>{% endfor %}';
    expect(gpt2.decode(encodeExample(example, gpt2, { trainOn: 'all', chatTemplate }).inputIds)).toBe('<a><b>');
    expect(() => encodeExample({ kind: 'chat', messages }, gpt2, completions)).toThrow(/no chat template/);
  });
});

describe('tokenized', () => {
  test('is used unchanged', () => {
    const example: SequenceExample = { kind: 'tokenized', inputIds: [5, 6, 7], labels: [-100, 6, -100] };
    const encoded = encodeExample(example, gpt2, { trainOn: 'all' });
    expect([...encoded.inputIds]).toEqual([5, 6, 7]);
    expect([...encoded.labels]).toEqual([-100, 6, -100]);
  });

  test('ids beyond the vocabulary are an error', () => {
    expect(() => encodeExample({ kind: 'tokenized', inputIds: [5, 9999] }, gpt2, completions)).toThrow(
      /input_ids\[1\] is 9999/,
    );
    const labelled: SequenceExample = { kind: 'tokenized', inputIds: [5, 6], labels: [-100, 9999] };
    expect(() => encodeExample(labelled, gpt2, completions)).toThrow(/labels\[1\] is 9999/);
  });

  test('ids are checked against the model’s embedding, not against the tokenizer', () => {
    const padded = { ...completions, embeddingRows: 600 };
    const example: SequenceExample = { kind: 'tokenized', inputIds: [5, 599] };
    expect([...encodeExample(example, smollm, padded).inputIds]).toEqual([5, 599]);
    expect(() => encodeExample(example, smollm, { ...completions, embeddingRows: 400 })).toThrow(
      /input_ids\[1\] is 599, but the vocabulary has 400 tokens/,
    );
  });

  test('need no tokenizer, and nothing else is read without one', () => {
    const messages = [{ role: 'user' as const, content: 'Hi' }];
    const none = absentTokenizer('/models/m', ['config.json', 'tokenizer.model']);
    const rows = { ...completions, embeddingRows: 600 };
    const encoded = encodeExample({ kind: 'tokenized', inputIds: [5, 599] }, none, rows);
    expect(none.decode(encoded.inputIds)).toBe('<5><599>');
    const text: SequenceExample = { kind: 'text', text: 'Hi' };
    expect(() => encodeExample(text, none, rows)).toThrow(/has tokenizer.model, but no tokenizer.json/);
    expect(() => encodeExample(text, absentTokenizer('/models/m', []), rows)).toThrow(
      /no tokenizer.json, so that only/,
    );
    expect(() => encodeExample({ kind: 'chat', messages }, none, rows)).toThrow(InputError);
  });
});

describe('a token that the model’s embedding lacks', () => {
  const files = fixtureFiles('smollm');
  const tokenizer = createTokenizer({ ...files, config: { ...files.config, pad_token: '<pad>' } });
  const options = { ...completions, embeddingRows: 520 };

  test('changes nothing for texts without it', () => {
    const text: SequenceExample = { kind: 'text', text: 'The gardener' };
    expect(encodeExample(text, tokenizer, options)).toEqual(encodeExample(text, smollm, options));
  });

  test('is an error in a text that has it', () => {
    expect(() => encodeExample({ kind: 'text', text: 'The <pad> gardener' }, tokenizer, options)).toThrow(
      'the token "<pad>" has the id 520, but the model’s embedding only 520 rows',
    );
  });
});
