// What is said of answers elsewhere beside those here: which are the same, and why the others differ.
import { describe, expect, it } from 'vitest';
import {
  installedAnswers,
  installedText,
  isSameAnswer,
  type Answer,
  type AskedPrompt,
  type InstalledFacts,
} from '../../../../extension/src/core/exports/installedAnswers.js';

const facts: InstalledFacts = {
  program: 'Ollama',
  version: '0.34.1',
  model: 'pirate:latest',
  type: 'q4_k_m',
  bos: '<s>',
  stops: ['<|im_end|>', '</s>'],
  stopsThere: ['<|im_end|>', '</s>'],
  templateReason: 'It has one of its own.',
};

function answer(text: string, more: Partial<Answer> = {}): Answer {
  return { text, reasoning: '', finish: 'stop', promptTokens: null, rendered: null, ...more };
}

/** A prompt with the answers here, there and of the written file here. */
function asked(ours: Answer, theirs: Answer, file: Answer | null = null): AskedPrompt {
  return { prompt: 'Who are you?', ours, theirs, file };
}

function differences(prompts: AskedPrompt[], more: Partial<InstalledFacts> = {}): string[] {
  return installedAnswers(prompts, { ...facts, ...more }).differences.map(({ cause, text }) => `${cause}: ${text}`);
}

describe('isSameAnswer', () => {
  it.each([
    [answer('Ahoy'), answer(' Ahoy\n'), true],
    [answer('Ahoy'), answer('Ahoy!'), false],
    [answer('Ahoy', { reasoning: 'Hm.' }), answer('<think>\nHm.\n</think>\n\nAhoy'), true],
    [answer('Ahoy', { reasoning: 'Hm.' }), answer('Ahoy'), false],
    [answer('Ahoy \u26f5'), answer('Ahoy \u26f5\ufffd'), true],
    [answer('a  b'), answer('a b'), false],
  ])('%o and %o: %s', (one, other, same) => {
    expect(isSameAnswer(one, other)).toBe(same);
  });
});

it('shows answers beside each other', () => {
  const { answers, ...about } = installedAnswers(
    [asked(answer('Ahoy '), answer('Ahoy')), asked(answer('Yes', { reasoning: 'Hm.' }), answer('No'), answer('No'))],
    facts,
  );
  expect(about).toMatchObject({ program: 'Ollama', version: '0.34.1', model: 'pirate:latest', not_asked: null });
  expect(answers).toEqual([
    { prompt: 'Who are you?', ours: 'Ahoy', file: null, theirs: 'Ahoy', same: true },
    { prompt: 'Who are you?', ours: 'Hm.\nYes', file: 'No', theirs: 'No', same: false },
  ]);
});

describe('reasons', () => {
  it('has none for answers that are the same', () => {
    expect(differences([asked(answer('Ahoy', { promptTokens: 9 }), answer('Ahoy', { promptTokens: 9 }))])).toEqual([]);
  });

  it('finds another template by the text that the model reads, even if the answer is the same', () => {
    const ours = answer('Ahoy', { rendered: '<s><|user|>Who are you?<|assistant|>' });
    const theirs = answer('Ahoy', { rendered: '<|im_start|>user\nWho are you?' });
    expect(differences([asked(ours, theirs)])).toEqual([
      'template: Ollama writes 1 of 1 prompt otherwise than here: "<|im_start|>user\\nWho are you?" instead of ' +
        '"<|user|>Who are you?<|assistant|>" at character 3. It has one of its own.',
    ]);
  });

  it('takes the token at the beginning for part of neither text', () => {
    const ours = answer('Ahoy', { rendered: '<s>Who are you?' });
    expect(differences([asked(ours, answer('Ahoy', { rendered: 'Who are you?' }))])).toEqual([]);
  });

  it('finds another template by the number of tokens', () => {
    const prompts = [
      asked(answer('Ahoy', { promptTokens: 12 }), answer('Hi', { promptTokens: 3 })),
      asked(answer('Ahoy', { promptTokens: 12 }), answer('Hi', { promptTokens: 12 })),
    ];
    const [first, second] = differences(prompts, { templateReason: null });
    expect(first).toBe('template: Ollama writes 1 of 2 prompts otherwise than here: 3 tokens instead of 12.');
    expect(second).toMatch(/^arithmetic: 1 of 2 answers parts from ours/);
  });

  it('names a stop that is missing there', () => {
    const prompts = [asked(answer('Ahoy'), answer('Ahoy<|im_end|>\nuser', { finish: 'length' }))];
    expect(differences(prompts, { stopsThere: ['</s>'] })).toEqual([
      'stop: 1 of 1 answer goes on there after its end here. Ollama has no stop "<|im_end|>".',
    ]);
    expect(differences(prompts, { stopsThere: null })).toEqual([
      'stop: 1 of 1 answer goes on there after its end here.',
    ]);
  });

  it('names a stop that is one only there', () => {
    const prompts = [asked(answer('1. Salt\n2. Fish', { finish: 'length' }), answer('1. Salt'))];
    expect(differences(prompts)).toEqual(['stop: 1 of 1 answer ends earlier there than here.']);
  });

  it('finds rounding by the answer of the written file', () => {
    const prompts = [
      asked(answer('Ahoy'), answer('Ahoy, mate'), answer('Ahoy, mate')),
      asked(answer('Yes'), answer('No'), answer('Yes')),
      asked(answer('Yes'), answer('Yes')),
    ];
    expect(differences(prompts)).toEqual([
      'rounding: The rounding to q4_k_m changes 1 of 3 answers: the written file answers the same way here.',
      expect.stringMatching(/^arithmetic: 1 of 3 answers parts from ours although the prompt is the same/) as string,
    ]);
  });

  it('does not call an answer longer that was cut off here', () => {
    const prompts = [asked(answer('Ahoy', { finish: 'length' }), answer('Ahoy, mate', { finish: 'length' }))];
    expect(differences(prompts)[0]).toMatch(/^arithmetic/);
  });
});

describe('installedText', () => {
  it('shows answers beside each other, and why they differ', () => {
    const prompts = [asked(answer('Ahoy'), answer('Ahoy')), asked(answer('Yes\n  no'), answer(''), answer(''))];
    expect(installedText(installedAnswers(prompts, facts)).split('\n')).toEqual([
      'Ollama 0.34.1 answers 1 of 2 prompts as this program does (pirate:latest).',
      'Who are you?',
      '  both    Ahoy',
      'Who are you?',
      '  here    Yes ⏎ no',
      '  Ollama  (nothing)',
      'The rounding to q4_k_m changes 1 of 2 answers: the written file answers the same way here.',
    ]);
  });

  it('says why nothing was asked', () => {
    const none = {
      ...installedAnswers([], facts),
      program: 'LM Studio',
      version: null,
      not_asked: 'its server is off',
    };
    expect(installedText(none)).toBe('LM Studio wasn’t asked: its server is off.');
  });
});
