// Frequencies of rotary embeddings and their scalings, computed as in Transformers 5.24's modeling_rope_utils. Called by
// the families; ggufConfig.ts writes the same keys from GGUF metadata.
import * as z from 'zod';
import { InputError } from '../../core/inputError.js';
import type { RotaryFrequencies } from './architecture.js';

const positive = z.number().positive().nullish();

/** config.json's `rope_scaling` (newer files: `rope_parameters`, with rope_theta inside). */
export const ropeScalingSchema = z.looseObject({
  rope_type: z.string().nullish(),
  type: z.string().nullish(),
  rope_theta: positive,
  factor: positive,
  original_max_position_embeddings: z.int().positive().nullish(),
  low_freq_factor: positive,
  high_freq_factor: positive,
  attention_factor: positive,
  beta_fast: z.number().nonnegative().nullish(),
  beta_slow: z.number().nonnegative().nullish(),
  mscale: z.number().nonnegative().nullish(),
  mscale_all_dim: z.number().nonnegative().nullish(),
  truncate: z.boolean().nullish(),
  short_factor: z.array(z.number().positive()).nullish(),
  long_factor: z.array(z.number().positive()).nullish(),
  partial_rotary_factor: z.literal(1, 'only whole heads are rotated').nullish(),
});
export type RopeScaling = z.infer<typeof ropeScalingSchema>;

/** The key of a config.json's scaling: in Transformers, a `rope_scaling` that isn't empty replaces `rope_parameters`. */
export function ropeKey({ rope_scaling }: Readonly<Record<string, unknown>>): 'rope_scaling' | 'rope_parameters' {
  return Object.keys(rope_scaling ?? {}).length > 0 ? 'rope_scaling' : 'rope_parameters';
}

/** What config.json says about positions, outside of the scaling too. */
export interface RopeSettings {
  /** There are headDim / 2 frequencies. */
  headDim: number;
  theta: number;
  scaling: RopeScaling | null;
  /** `max_position_embeddings` */
  maxPositions: number;
  /** `original_max_position_embeddings` next to the scaling, which then takes precedence over the one in it. */
  originalPositions: number | null;
}

type Scaled = Pick<RotaryFrequencies, 'inverseFrequencies'> & Partial<RotaryFrequencies>;

/** A scaling's own numbers, with the defaults of Transformers. */
interface Values extends RopeSettings {
  /** Frequencies without scaling, [headDim / 2]. */
  plain: Float64Array;
  original: number;
  /** A number of the scaling. @throws InputError if it is missing */
  need(key: keyof RopeScaling & string): number;
}

/** By `rope_type`. */
const SCALINGS: Readonly<Record<string, (values: Values) => Scaled>> = {
  default: ({ plain }) => ({ inverseFrequencies: plain }),
  linear: ({ plain, need }) => ({ inverseFrequencies: plain.map(f => f / need('factor')) }),
  // Scales sequences longer than max_position_embeddings only, and none is longer here.
  dynamic: ({ plain, need }) => (need('factor'), { inverseFrequencies: plain }),
  llama3: ({ plain, need, original }) => {
    const factor = need('factor');
    const low = need('low_freq_factor');
    const high = need('high_freq_factor');
    return {
      inverseFrequencies: plain.map(f => {
        const wavelength = (2 * Math.PI) / f;
        if (wavelength < original / high) return f;
        if (wavelength > original / low) return f / factor;
        const smooth = (original / wavelength - low) / (high - low);
        return ((1 - smooth) * f) / factor + smooth * f;
      }),
    };
  },
  yarn,
  longrope,
};

/** The scalings that `rotaryFrequencies` computes. */
const ROPE_TYPES: readonly string[] = Object.keys(SCALINGS);

/** @throws InputError on a scaling that isn't one of ROPE_TYPES, or that lacks a value */
export function rotaryFrequencies(settings: RopeSettings, file: string): RotaryFrequencies {
  const { headDim, theta, scaling, maxPositions, originalPositions } = settings;
  const key = 'rope_scaling';
  const type = scaling?.rope_type ?? scaling?.type ?? 'default';
  if (type === 'default' && scaling?.factor)
    throw new InputError('rope_scaling has a factor, but its rope_type is "default" or missing', {
      ...{ file, key },
      hint: `Add "rope_type": one of ${ROPE_TYPES.join(', ')}; or remove the factor.`,
    });
  if (!Object.hasOwn(SCALINGS, type))
    throw new InputError(`rope_scaling of type "${type}" is not supported`, {
      ...{ file, key },
      hint: `Supported: ${ROPE_TYPES.join(', ')}.`,
    });
  const values: Values = {
    ...settings,
    plain: Float64Array.from({ length: headDim / 2 }, (_, i) => 1 / theta ** ((2 * i) / headDim)),
    original: originalPositions ?? scaling?.original_max_position_embeddings ?? maxPositions,
    need: name => {
      const value = scaling?.[name];
      if (typeof value !== 'number')
        throw new InputError(`rope_scaling of type "${type}" has no ${name}`, { file, key: `${key}.${name}` });
      return value;
    },
  };
  const wrongLength = ['short_factor', 'long_factor'].find(
    name => type === 'longrope' && (scaling?.[name] as number[] | undefined)?.length !== headDim / 2,
  );
  if (wrongLength)
    throw new InputError(`rope_scaling of type "${type}" needs ${headDim / 2} numbers as ${wrongLength}`, {
      file,
      key: `${key}.${wrongLength}`,
    });
  return { scale: 1, maxPositions: null, ...SCALINGS[type]!(values) };
}

/**
 * YaRN (arXiv:2309.00071): high frequencies stay, low ones are divided by the factor, with a ramp between the two
 * dimensions that rotate beta_fast and beta_slow times within the original positions.
 */
function yarn({ scaling, headDim, theta, plain, maxPositions, original, need }: Values): Scaled {
  // Transformers derives a factor of null, but not a missing one.
  const factor = scaling!.factor === null ? maxPositions / original : need('factor');
  const dimension = (rotations: number) =>
    (headDim * Math.log(original / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  const ends = [dimension(scaling!.beta_fast || 32), dimension(scaling!.beta_slow || 1)] as const;
  const [first, last] = scaling!.truncate === false ? ends : [Math.floor(ends[0]), Math.ceil(ends[1])];
  const low = Math.max(first, 0);
  let high = Math.min(last, headDim - 1);
  if (low === high) high += 0.001;
  const inverseFrequencies = plain.map((f, i) => {
    const interpolated = Math.min(1, Math.max(0, (i - low) / (high - low)));
    return (f / factor) * interpolated + f * (1 - interpolated);
  });
  const growth = (scale: number) => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);
  const { mscale, mscale_all_dim: all } = scaling!;
  return {
    inverseFrequencies,
    scale: scaling!.attention_factor ?? (mscale && all ? growth(mscale) / growth(all) : growth(1)),
  };
}

/**
 * LongRoPE (arXiv:2402.13753) divides each frequency by its own factor: a short one up to the original positions, a long
 * one in longer sequences. Sequences are limited to the original positions here.
 */
function longrope({ scaling, plain, maxPositions, original }: Values): Scaled {
  const { short_factor: short, factor: given, attention_factor: attentionFactor } = scaling!;
  const factor = given ?? maxPositions / original;
  return {
    inverseFrequencies: plain.map((f, i) => f / short![i]!),
    scale: attentionFactor ?? (factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original))),
    maxPositions: original,
  };
}
