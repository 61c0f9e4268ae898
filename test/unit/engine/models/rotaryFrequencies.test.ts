// Rotary frequencies compared with Transformers' ROPE_INIT_FUNCTIONS (head_dim 16), computed by transformers 5.23.
import { describe, expect, it } from 'vitest';
import { rotaryFrequencies, type RopeScaling } from '../../../../extension/src/engine/models/rotaryFrequencies.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const LLAMA3 = {
  rope_type: 'llama3',
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 128,
};

const CASES: [string, number, RopeScaling | null, number[]][] = [
  ['default', 10000, null, [1, 0.31622776, 0.1, 0.031622776, 0.01, 0.0031622778, 0.001, 0.00031622779]],
  [
    'linear',
    500,
    { type: 'linear', factor: 4 },
    [0.25, 0.11496582, 0.05286856, 0.024312312, 0.01118034, 0.0051414282, 0.002364354, 0.0010872796],
  ],
  [
    'llama3',
    500000,
    LLAMA3,
    [1, 0.1911265, 0.0047007538, 0.00091158313, 0.00017677668, 3.4281025e-5, 6.6478697e-6, 1.2891732e-6],
  ],
];

describe('rotaryFrequencies', () => {
  it.each(CASES)('%s', (_, theta, scaling, expected) => {
    const { inverseFrequencies } = rotaryFrequencies(16, theta, scaling, 'config.json');
    inverseFrequencies.forEach((value, i) => expect(value / expected[i]!).toBeCloseTo(1, 5));
  });

  it('names an unknown type and a missing factor', async () => {
    const refuse = (scaling: RopeScaling) => inputErrorOf(() => rotaryFrequencies(16, 1e4, scaling, 'config.json'));
    expect((await refuse({ rope_type: 'yarn', factor: 2 })).message).toContain('"yarn"');
    expect((await refuse({ rope_type: 'linear' })).message).toContain('factor');
    expect((await refuse({ ...LLAMA3, high_freq_factor: undefined })).message).toContain('high_freq_factor');
  });
});
