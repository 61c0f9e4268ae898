// Inverse frequencies of rotary embeddings and their scalings, computed as in Transformers' modeling_rope_utils.
import { z } from 'zod';
import { InputError } from '../../core/inputError.js';
import type { RotaryFrequencies } from './architecture.js';

/** config.json's `rope_scaling` (newer files: `rope_parameters`, with rope_theta inside). */
export const ropeScalingSchema = z.looseObject({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: z.number().positive().optional(),
  factor: z.number().positive().optional(),
  low_freq_factor: z.number().positive().optional(),
  high_freq_factor: z.number().positive().optional(),
  original_max_position_embeddings: z.int().positive().optional(),
});
export type RopeScaling = z.infer<typeof ropeScalingSchema>;

/**
 * @param headDim size of a head; there are headDim / 2 frequencies
 * @throws InputError on a scaling that is not `default`, `linear` or `llama3`, or that lacks a value
 */
export function rotaryFrequencies(
  headDim: number,
  theta: number,
  scaling: RopeScaling | null,
  file: string,
): RotaryFrequencies {
  const plain = Float64Array.from({ length: headDim / 2 }, (_, i) => 1 / theta ** ((2 * i) / headDim));
  const type = scaling?.rope_type ?? scaling?.type ?? 'default';
  const need = (key: 'factor' | 'low_freq_factor' | 'high_freq_factor' | 'original_max_position_embeddings') => {
    const value = scaling?.[key];
    if (value === undefined) throw new InputError(`rope_scaling of type "${type}" has no ${key}`, { file });
    return value;
  };
  switch (type) {
    case 'default':
      return { inverseFrequencies: plain };
    case 'linear': {
      const factor = need('factor');
      return { inverseFrequencies: plain.map(f => f / factor) };
    }
    case 'llama3': {
      const factor = need('factor');
      const low = need('low_freq_factor');
      const high = need('high_freq_factor');
      const original = need('original_max_position_embeddings');
      return {
        inverseFrequencies: plain.map(f => {
          const wavelength = (2 * Math.PI) / f;
          if (wavelength < original / high) return f;
          if (wavelength > original / low) return f / factor;
          const smooth = (original / wavelength - low) / (high - low);
          return ((1 - smooth) * f) / factor + smooth * f;
        }),
      };
    }
    default:
      throw new InputError(`rope_scaling of type "${type}" is not supported`, {
        file,
        hint: 'Supported: default, linear, llama3.',
      });
  }
}
