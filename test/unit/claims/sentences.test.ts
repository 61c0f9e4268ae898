// The sentences of the claims: each outcome that figures may have is said as it is.
import { describe, expect, test } from 'vitest';
import * as say from '../../claims/sentences.mjs';

const spread = (mean: number, by = 0.01) => ({ mean, min: mean - by, max: mean + by, std: by, n: 3 });
const full = {
  name: 'full fine-tuning',
  group: 'full',
  parameters: 1000,
  loss: spread(1),
  score: spread(0.9),
  gain: 1,
};
const lora = (rank: number, loss: number, group = 'lora-all', perRank = 10) => ({
  name: `LoRA r=${rank}`,
  ...{ group, rank, parameters: perRank * rank, loss: spread(loss), score: spread(0.8), gain: 0.95 },
});

describe('fewer parameters', () => {
  test('within what is claimed', () =>
    expect(say.fewerParameters([full, lora(1, 2), lora(8, 1.02), lora(64, 0.9)])).toBe(
      'LoRA r=8 is the best LoRA with at least 86% fewer trained parameters (92.0% fewer): its loss is 1.02 against 1 with full ' +
        'fine-tuning, 2.0% higher, which is within the claimed 3.2%; 95.0% of what full fine-tuning takes off the base’s loss. ' +
        'It scores 80%, full fine-tuning 90%.',
    ));
  test('not within it', () =>
    expect(say.fewerParameters([full, lora(8, 1.5)])).toMatch(/50% higher, which is not within the claimed 3.2%/));
  test('better than full fine-tuning', () =>
    expect(say.fewerParameters([full, lora(8, 0.5)])).toMatch(/50% lower, which is within/));
  test('in short', () =>
    expect(say.fewerInShort([full, lora(8, 1.5)])).toBe(
      'LoRA r=8: 92.0% fewer, loss 50% higher, score 80% against 90%',
    ));
  test.each([[[lora(8, 1)]], [[full]], [[full, lora(64, 1)]], [[]]])('nothing before both are measured', methods => {
    expect(say.fewerParameters(methods)).toBeNull();
    expect(say.fewerInShort(methods)).toBeNull();
  });
});

describe('which rank', () => {
  test('a lower one shows no difference from the best', () =>
    expect(say.enoughRank([lora(1, 2), lora(4, 1.01), lora(16, 1)], 'lora-all')).toBe(
      'With all linear layers, r = 16 has the lowest loss (1), and r = 4 is the lowest without a difference from it; r = 1 has 2.',
    ));
  test('all lower ones are worse', () =>
    expect(say.enoughRank([lora(4, 1.5), lora(1, 2), lora(16, 1)], 'lora-all')).toMatch(
      /and all lower ranks are worse/,
    ));
  test('the lowest is the best', () =>
    expect(say.enoughRank([lora(1, 1), lora(4, 2)], 'lora-all')).toBe(
      'With all linear layers, r = 1, the lowest, has the lowest loss (1).',
    ));
  test('in short, by targets', () =>
    expect(
      say.enoughInShort([lora(1, 2), lora(2, 1), lora(1, 3, 'lora-attention'), lora(2, 3, 'lora-attention')]),
    ).toBe('2 with all linear layers, 1 with attention only'));
  test('nothing with one rank', () => {
    expect(say.enoughRank([lora(1, 2)], 'lora-all')).toBeNull();
    expect(say.enoughInShort([lora(1, 2)])).toBeNull();
  });
});

describe('attention or all', () => {
  const attention = (rank: number, loss: number) => lora(rank, loss, 'lora-attention', 4);
  test('by rank and by size', () =>
    expect(
      say.attentionOrAll([lora(1, 2), lora(2, 1.5), lora(4, 1), attention(1, 3), attention(2, 1.5), attention(4, 0.5)]),
    ).toBe(
      'At the same rank, the loss with attention only, compared with all linear layers, is higher in 1 of 3, lower in 1, without a ' +
        'difference in 1; at about the same number of trained parameters, higher in 0 of 2, lower in 2, without a difference in 0.',
    ));
  test('in short', () =>
    expect(say.attentionInShort([lora(1, 2), attention(1, 3)])).toBe(
      'loss higher than with all linear layers at 1 of 1 ranks',
    ));
  test('nothing without a common rank', () => expect(say.attentionOrAll([lora(1, 2), attention(2, 3)])).toBeNull());
});

describe('the gap of a soft prompt', () => {
  const of = (...gains: number[]) =>
    say.gapBySize(
      'p-tuning',
      gains.map((gain, i) => ({ title: `size ${i}`, gain })),
    );
  test('shrinks', () =>
    expect(of(0.1, 0.5, 0.9)).toBe(
      'p-tuning reaches 10% with size 0, 50% with size 1, 90% with size 2 of full fine-tuning’s gain: the gap shrinks with every size.',
    ));
  test('grows', () => expect(of(0.9, 0.5)).toMatch(/the gap grows with every size/));
  test('does neither', () => expect(of(0.1, 0.5, 0.3)).toMatch(/the gap neither only shrinks nor only grows/));
  test('is unknown with one size', () => expect(of(0.1)).toBeNull());
});

describe('memory against inference', () => {
  const method = (name: string, peakBytes: number, total: number) => ({
    ...{ name, peakBytes, parameters: 1, cpuSeconds: 1 },
    estimate: { weights: 0.25 * total, activations: 0.75 * total, total },
  });
  test('is said as measured and as estimated', () =>
    expect(
      say.memoryAgainstInference({
        inference: 100,
        estimatedInference: 10,
        methods: [method('full fine-tuning', 300, 200), method('LoRA', 150, 100)],
      }),
    ).toBe(
      'A training process takes 1.5 to 3 times the memory of a process that computes the loss of the same batch. By the estimate, which ' +
        'leaves out the program itself, the tensors of a step are 10 to 20 times those of inference on one sequence. Of those of full ' +
        'fine-tuning: activations 75%, weights 25%.',
    ));
  test('is unknown without methods', () =>
    expect(say.memoryAgainstInference({ inference: 1, estimatedInference: 1, methods: [] })).toBeNull());
});

describe('learning rates', () => {
  const curve = (name: string, losses: (number | null)[], from: number) => ({
    name,
    points: losses.map((loss, i) => ({ rate: from * 10 ** i, loss: loss === null ? null : spread(loss) })),
  });
  const LORA = 'LoRA all linear r=8';
  const defaults = { 'full fine-tuning': 1, [LORA]: 10 };
  test('are compared with each other and with the run panel', () =>
    expect(say.ratesApart([curve('full fine-tuning', [2, 1, 3], 1), curve(LORA, [3, 2, 1.5], 1)], defaults)).toBe(
      'full fine-tuning is best at 10 (loss 1); at the point nearest to the run panel’s 1 it has 2 at 1. ' +
        'LoRA all linear r=8 is best at 100, at the edge of what was tried (loss 1.5); at the point nearest to the run panel’s 10 it has 2 at 10. ' +
        'The best rate of LoRA is 10 times that of full fine-tuning.',
    ));
  test('a default that diverges is named', () =>
    expect(say.ratesApart([curve('full fine-tuning', [null, 1], 1), curve(LORA, [1, 2], 1)], defaults)).toMatch(
      /it has none at 1, where a seed fails/,
    ));
  test('nothing without both curves', () => {
    expect(say.ratesApart([curve('full fine-tuning', [1], 1)], defaults)).toBeNull();
    expect(say.ratesApart([curve('full fine-tuning', [1], 1), curve(LORA, [null], 1)], defaults)).toBeNull();
  });
});

test.each([
  [1.5, 1, '50% higher'],
  [1.01, 1, '1.0% higher'],
  [0.8, 1, '20% lower'],
  [1.0001, 1, 'the same'],
])('%d against %d', (value, other, text) => expect(say.compared(value, other)).toBe(text));
