// LoHa (arXiv:2108.06098, there FedPara): y = W x + (alpha / r) ((w1_a w1_b) ∘ (w2_a w2_b)) x with both a [out, r] and
// both b [r, in] trained, W frozen; the Hadamard product of two updates of rank r has a rank of up to r². For a small
// r² it is never computed as [out, in]: with Khatri-Rao products of the factors it becomes LoRA's B A of rank r².
// Names, defaults and files are PEFT's.
import * as tf from '@tensorflow/tfjs-core';
import * as z from 'zod';
import { about } from '../../protocol/about.js';
import { InputError } from '../../core/inputError.js';
import type { Architecture, LinearModule } from '../models/architecture.js';
import type { LinearCall } from '../models/hooks.js';
import { matMulTransposed } from '../models/ops.js';
import { checkLayersPattern, knownValues } from './adapterConfig.js';
import type { LoraForm, PeftMethod, TensorOf, TensorSpec } from './method.js';
import { modulesToSave, PEFT_PREFIX, trainedWhole } from './replacedParameters.js';
import {
  alphaPattern,
  excludeModules,
  layersToTransform,
  modulesToSaveKey,
  MAX_RANK,
  rankPattern,
  targetModules,
} from './schemas.js';
import { patternValue, savedTargets, targetedLinears } from './targets.js';

const schema = z.strictObject({
  r: z.int().positive().max(MAX_RANK).default(8).meta(about('Rank', 'Width of the four small matrices')),
  alpha: z.number().positive().default(8).meta(about('Alpha', 'The update is scaled by alpha / r')),
  target_modules: targetModules,
  exclude_modules: excludeModules,
  layers_to_transform: layersToTransform,
  rank_pattern: rankPattern,
  alpha_pattern: alphaPattern('alpha'),
  modules_to_save: modulesToSaveKey,
  init_weights: z
    .boolean()
    .default(true)
    .meta(about('Initialization', 'true: the update is 0 at first; false: all four matrices are random, for tests')),
});
type Config = z.infer<typeof schema>;

/** One adapted module with the values of its config. */
interface Adapted {
  module: LinearModule;
  rank: number;
  scale: number;
  /** Keys of the factors: the first update's a [out, r] and b [r, in], then the second's. */
  factors: readonly [w1a: string, w1b: string, w2a: string, w2b: string];
}

/** @throws InputError on a Conv1D, which PEFT's LoHa doesn't support either */
function adaptedModules(config: Config, architecture: Architecture): Adapted[] {
  return targetedLinears(config, architecture, architecture.defaultTargets.lora).map(module => {
    if (module.conv1d)
      throw new InputError(`LoHa can't adapt ${module.name}: in a ${architecture.modelType} model it is a Conv1D`, {
        key: 'method.peft_type',
        hint: 'Choose another method, or a model of another family. PEFT refuses it, too.',
      });
    const rank = patternValue(config.rank_pattern, module.name, config.r, 'method.rank_pattern');
    const alpha = patternValue(config.alpha_pattern, module.name, config.alpha, 'method.alpha_pattern');
    const key = (part: string) => `${PEFT_PREFIX}${module.name}.hada_${part}`;
    return { module, rank, scale: alpha / rank, factors: [key('w1_a'), key('w1_b'), key('w2_a'), key('w2_b')] };
  });
}

function plan(config: Config, architecture: Architecture): TensorSpec[] {
  const specs = adaptedModules(config, architecture).flatMap(({ module, rank, factors }): TensorSpec[] => {
    const [w1a, w1b, w2a, w2b] = factors;
    const { inFeatures, outFeatures } = module;
    // Kaiming uniform with a = sqrt(5): within 1 / sqrt(columns).
    const a = { shape: [outFeatures, rank], init: { kind: 'uniform', bound: 1 / Math.sqrt(rank) } } as const;
    const b = { shape: [rank, inFeatures], init: { kind: 'uniform', bound: 1 / Math.sqrt(inFeatures) } } as const;
    return [
      { key: w1a, ...a },
      { key: w1b, ...b },
      { key: w2a, ...a },
      { key: w2b, ...b, ...(config.init_weights && { init: { kind: 'zeros' } }) },
    ];
  });
  return [...specs, ...modulesToSave(config.modules_to_save, architecture)];
}

/** The products of every row of `p` [r, in] with every row of `q`: [r², in]. */
function productsOfRows(p: tf.Tensor, q: tf.Tensor): tf.Tensor2D {
  const [rank, width] = p.shape as [number, number];
  return tf.reshape(tf.mul(tf.expandDims(p, 1), tf.expandDims(q, 0)), [rank * rank, width]);
}

/** The same for the columns of `p` and `q` [out, r]: [out, r²]. */
function productsOfColumns(p: tf.Tensor, q: tf.Tensor): tf.Tensor2D {
  const [height, rank] = p.shape as [number, number];
  return tf.reshape(tf.mul(tf.expandDims(p, 2), tf.expandDims(q, 1)), [height, rank * rank]);
}

/** scale · (w1_a w1_b) ∘ (w2_a w2_b), [out, in]. */
function delta({ scale, factors: [w1a, w1b, w2a, w2b] }: Adapted, tensorOf: TensorOf): tf.Tensor2D {
  const product = (a: string, b: string) => tf.matMul(tensorOf(a) as tf.Tensor2D, tensorOf(b) as tf.Tensor2D);
  return tf.mul(tf.mul(product(w1a, w1b), product(w2a, w2b)), scale) as tf.Tensor2D;
}

/** The update for x [rows, in], in the way that needs less memory and fewer operations: [rows, out]. */
function update(adapted: Adapted, x: tf.Tensor2D, tensorOf: TensorOf): tf.Tensor2D {
  const { module, rank, scale, factors } = adapted;
  const { inFeatures, outFeatures } = module;
  if (rank * rank * (inFeatures + outFeatures) >= inFeatures * outFeatures)
    return matMulTransposed(x, delta(adapted, tensorOf));
  const [w1a, w1b, w2a, w2b] = factors.map(tensorOf) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  const narrow = tf.mul(matMulTransposed(x, productsOfRows(w1b, w2b)), scale) as tf.Tensor2D;
  return matMulTransposed(narrow, productsOfColumns(w1a, w2a));
}

function asLora(config: Config, architecture: Architecture): LoraForm | string {
  const beyond = trainedWhole(config);
  if (beyond !== null) return beyond;
  return {
    dropout: 0,
    factors: adaptedModules(config, architecture).map(({ module, rank, scale, factors: [w1a, w1b, w2a, w2b] }) => ({
      module,
      rank: rank * rank,
      scale,
      a: read => {
        const [p, q, width] = [read(w1b), read(w2b), module.inFeatures];
        return Float32Array.from({ length: rank * rank * width }, (_, at) => {
          const [pair, column] = [Math.floor(at / width), at % width];
          return p[Math.floor(pair / rank) * width + column]! * q[(pair % rank) * width + column]!;
        });
      },
      b: read => {
        const [p, q, height] = [read(w1a), read(w2a), module.outFeatures];
        return Float32Array.from({ length: height * rank * rank }, (_, at) => {
          const [row, pair] = [Math.floor(at / (rank * rank)), at % (rank * rank)];
          return p[row * rank + Math.floor(pair / rank)]! * q[row * rank + (pair % rank)]!;
        });
      },
    })),
  };
}

export const loha: PeftMethod<Config> = {
  peftType: 'LOHA',
  title: 'LoHa',
  summary: 'Trains the Hadamard product of two low-rank updates: a higher rank than LoRA’s for as many parameters.',
  family: 'reparameterization',
  learningRate: 5e-4,
  schema,
  identityAtStart: ({ init_weights: zero }) => zero,
  storage: 'adapter',
  lowRank: {
    rank: 'r',
    pairs: 2,
    uncountable: ['rank_pattern', 'layers_to_transform', 'modules_to_save', 'exclude_modules'],
  },
  plan,
  hooks: (config, architecture, tensorOf) => ({
    linear: new Map(
      adaptedModules(config, architecture).map(adapted => [
        adapted.module.name,
        ({ x, base }: LinearCall) => tf.add(base(x), update(adapted, x, tensorOf)) as tf.Tensor2D,
      ]),
    ),
  }),
  asLora,
  otherKeys: { withoutEffect: ['use_effective_conv2d', 'layers_pattern'], refused: ['rank_dropout', 'module_dropout'] },
  python: { configClass: 'LoHaConfig' },
  toAdapterConfig: (config, architecture) => ({
    ...config,
    target_modules: savedTargets(config.target_modules, architecture),
    rank_dropout: 0,
    module_dropout: 0,
    use_effective_conv2d: false,
    layers_pattern: null,
  }),
  fromAdapterConfig: (json, architecture, file) => {
    checkLayersPattern(json, architecture, file);
    return schema.parse({ ...knownValues(schema, json), init_weights: true });
  },
  merge: (config, architecture, tensorOf, base) =>
    new Map(
      adaptedModules(config, architecture).map(adapted => {
        const name = `${adapted.module.name}.weight`;
        return [name, () => tf.add(base(name), delta(adapted, tensorOf))];
      }),
    ),
};
