// LoRA (arXiv:2106.09685): y = W x + (alpha / r) B A x with A [r, in] and B [out, r] trained, W frozen. With use_rslora
// the scale is alpha / sqrt(r) (arXiv:2312.03732); with use_dora the sum is normalized per output and scaled by a
// trained magnitude (arXiv:2402.09353). Names, defaults and files are PEFT's.
import * as tf from '@tensorflow/tfjs-core';
import * as z from 'zod';
import { about } from '../../protocol/about.js';
import { InputError } from '../../core/inputError.js';
import type { Architecture, LinearModule } from '../models/architecture.js';
import { linear, matMulTransposed, stopGradient } from '../models/ops.js';
import { denseOf } from '../models/quantizedWeight.js';
import type { ForwardHooks, LinearCall } from '../models/hooks.js';
import { checkLayersPattern, knownValues } from './adapterConfig.js';
import type { LoraForm, PeftMethod, TensorOf, TensorSpec } from './method.js';
import { modulesToSave, PEFT_PREFIX, trainedBiases, trainedWhole } from './replacedParameters.js';
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
  r: z.int().positive().max(MAX_RANK).default(8).meta(about('Rank', 'Width of the two small matrices A and B')),
  lora_alpha: z.number().positive().default(8).meta(about('Alpha', 'The update is scaled by lora_alpha / r')),
  lora_dropout: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .meta(about('Dropout', 'Dropout on the adapter’s input while training')),
  target_modules: targetModules,
  exclude_modules: excludeModules,
  layers_to_transform: layersToTransform,
  rank_pattern: rankPattern,
  alpha_pattern: alphaPattern('lora_alpha'),
  use_rslora: z
    .boolean()
    .default(false)
    .meta(about('rsLoRA', 'Scale by lora_alpha / sqrt(r): more stable at high ranks')),
  use_dora: z
    .boolean()
    .default(false)
    .meta(about('DoRA', 'Train magnitude and direction separately: closer to full fine-tuning, slower')),
  bias: z
    .enum(['none', 'all', 'lora_only'])
    .default('none')
    .meta(about('Biases', 'Also train biases: all, or only those of the adapted modules')),
  modules_to_save: modulesToSaveKey,
  init_lora_weights: z
    .union([z.boolean(), z.literal('gaussian')])
    .default(true)
    .meta(
      about(
        'Initialization',
        'true: A is Kaiming uniform; "gaussian": A is normal; in both cases B is 0. false: both are random, for tests',
      ),
    ),
});
export type LoraConfig = z.infer<typeof schema>;
type Config = LoraConfig;

/** One adapted module with the values of its config. */
interface Adapted {
  module: LinearModule;
  rank: number;
  scale: number;
  a: string;
  b: string;
  magnitude: string | null;
}

/** PEFT's rank and scale of a module. */
export function rankAndScale(config: Config, module: string): { rank: number; scale: number } {
  const rank = patternValue(config.rank_pattern, module, config.r, 'method.rank_pattern');
  const alpha = patternValue(config.alpha_pattern, module, config.lora_alpha, 'method.alpha_pattern');
  return { rank, scale: alpha / (config.use_rslora ? Math.sqrt(rank) : rank) };
}

/** The modules that a config adapts, with their ranks and scales. */
function adaptedModules(config: Config, architecture: Architecture): Adapted[] {
  return targetedLinears(config, architecture, architecture.defaultTargets.lora).map(module => {
    const prefix = PEFT_PREFIX + module.name;
    return {
      module,
      ...rankAndScale(config, module.name),
      a: `${prefix}.lora_A.weight`,
      b: `${prefix}.lora_B.weight`,
      magnitude: config.use_dora ? `${prefix}.lora_magnitude_vector` : null,
    };
  });
}

/** scale · B A in the weight's own orientation. */
function delta({ module, scale, a, b }: Adapted, tensorOf: TensorOf): tf.Tensor2D {
  const product = tf.mul(tf.matMul(tensorOf(b) as tf.Tensor2D, tensorOf(a) as tf.Tensor2D), scale) as tf.Tensor2D;
  return module.conv1d ? tf.transpose(product) : product;
}

/** Euclidean norm of each output's weights, [out]. */
function outputNorms(weight: tf.Tensor2D, conv1d: boolean): tf.Tensor1D {
  return tf.sqrt(tf.sum(tf.square(weight), conv1d ? 0 : 1)) as tf.Tensor1D;
}

function plan(config: Config, architecture: Architecture): TensorSpec[] {
  const adapted = adaptedModules(config, architecture);
  const specs = adapted.flatMap((entry): TensorSpec[] => {
    const { module, rank } = entry;
    const bound = 1 / Math.sqrt(module.inFeatures);
    const pair: TensorSpec[] = [
      {
        key: entry.a,
        shape: [rank, module.inFeatures],
        init: config.init_lora_weights === 'gaussian' ? { kind: 'normal', std: 1 / rank } : { kind: 'uniform', bound },
      },
      {
        key: entry.b,
        shape: [module.outFeatures, rank],
        init: config.init_lora_weights === false ? { kind: 'uniform', bound: 1 / Math.sqrt(rank) } : { kind: 'zeros' },
      },
    ];
    if (!entry.magnitude) return pair;
    const compute = ({ base, own }: { base(name: string): tf.Tensor; own: TensorOf }) =>
      outputNorms(tf.add(base(`${module.name}.weight`), delta(entry, own)) as tf.Tensor2D, module.conv1d);
    return [...pair, { key: entry.magnitude, shape: [module.outFeatures], init: { kind: 'computed', compute } }];
  });
  const names = new Set(adapted.map(entry => entry.module.name));
  return [
    ...specs,
    ...trainedBiases(config.bias === 'lora_only' ? 'adapted' : config.bias, names, architecture),
    ...modulesToSave(config.modules_to_save, architecture),
  ];
}

function hooks(config: Config, architecture: Architecture, tensorOf: TensorOf): ForwardHooks {
  const entries = adaptedModules(config, architecture).map(entry => {
    const apply = (call: LinearCall): tf.Tensor2D => {
      const x = call.dropout(call.x, config.lora_dropout);
      const narrow = matMulTransposed(x, tensorOf(entry.a));
      // Scaling is cheapest at the narrow width.
      const update = matMulTransposed(tf.mul(narrow, entry.scale) as tf.Tensor2D, tensorOf(entry.b));
      if (!entry.magnitude) return tf.add(call.base(call.x), update) as tf.Tensor2D;
      // The norm is treated as a constant in the gradient (section 4.3 of the paper).
      const norms = stopGradient(() =>
        outputNorms(tf.add(denseOf(call.weight(), x), delta(entry, tensorOf)) as tf.Tensor2D, entry.module.conv1d),
      );
      const ratio = tf.div(tensorOf(entry.magnitude), norms);
      const bias = call.bias();
      const y = tf.mul(tf.add(linear(x, call.weight(), entry.module.conv1d), update), ratio) as tf.Tensor2D;
      if (x === call.x) return bias ? tf.add(y, bias) : y;
      // Dropout applies only to the difference from the base: y = W x + b + (ratio - 1) W d(x) + ratio update.
      const dropped = linear(x, call.weight(), entry.module.conv1d);
      return tf.add(call.base(call.x), tf.sub(y, dropped));
    };
    return [entry.module.name, apply] as const;
  });
  return { linear: new Map(entries) };
}

function asLora(config: Config, architecture: Architecture): LoraForm | string {
  const beyond = config.use_dora ? 'DoRA (use_dora)' : trainedWhole(config);
  if (beyond !== null) return beyond;
  return {
    dropout: config.lora_dropout,
    factors: adaptedModules(config, architecture).map(({ module, rank, scale, a, b }) => ({
      module,
      rank,
      scale,
      a: read => read(a),
      b: read => read(b),
    })),
  };
}

/**
 * Values of init_lora_weights that don't change the base weight; PiSSA, OLoRA, CorDA and others change it on loading.
 */
const PLAIN_INITS: unknown[] = [undefined, null, true, false, 'gaussian', 'eva', 'orthogonal', 'mica'];

/**
 * The config of a saved adapter, as far as it needs no model.
 * @throws InputError for an initialization that changes the base; ZodError for other wrong values
 */
export function savedLoraConfig(json: Record<string, unknown>, file: string): Config {
  const init = json['init_lora_weights'];
  if (!PLAIN_INITS.includes(init))
    throw new InputError(`init_lora_weights ${JSON.stringify(init)} is not supported: it changes the base model`, {
      file,
      key: 'init_lora_weights',
      hint: 'Convert the adapter with PEFT: save_pretrained(..., path_initial_model_for_weight_conversion=...).',
    });
  return schema.parse({ ...knownValues(schema, json), init_lora_weights: init === 'gaussian' ? init : true });
}

export const lora: PeftMethod<Config> = {
  peftType: 'LORA',
  title: 'LoRA',
  summary: 'Trains a low-rank update of frozen weights; small, mergeable, the usual choice.',
  family: 'reparameterization',
  learningRate: 2e-4,
  schema,
  identityAtStart: ({ init_lora_weights: init }) => init !== false,
  storage: 'adapter',
  lowRank: {
    rank: 'r',
    pairs: 1,
    uncountable: ['rank_pattern', 'layers_to_transform', 'bias', 'modules_to_save', 'exclude_modules', 'use_dora'],
  },
  plan,
  hooks,
  asLora,
  otherKeys: {
    withoutEffect: [
      // Conv1D is known from the model.
      'fan_in_fan_out',
      'ensure_weight_tying',
      // Initial values only; init_lora_weights says whether they change the base.
      'loftq_config',
      'eva_config',
      'corda_config',
      'lora_ga_config',
      // Compresses activations for the backward pass.
      'velora_config',
      'qalora_group_size',
      'megatron_config',
      'megatron_core',
      'runtime_config',
      'layers_pattern',
    ],
    refused: [
      'layer_replication',
      'trainable_token_indices',
      'target_parameters',
      'lora_bias',
      'alora_invocation_tokens',
      'use_qalora',
      'use_bdlora',
      'arrow_config',
      'kasa_config',
      'monteclora_config',
    ],
  },
  python: { configClass: 'LoraConfig' },
  toAdapterConfig: (config, architecture) => ({
    r: config.r,
    lora_alpha: config.lora_alpha,
    lora_dropout: config.lora_dropout,
    target_modules: savedTargets(config.target_modules, architecture),
    exclude_modules: config.exclude_modules,
    fan_in_fan_out: architecture.linears.some(module => module.conv1d),
    bias: config.bias,
    use_rslora: config.use_rslora,
    use_dora: config.use_dora,
    modules_to_save: config.modules_to_save,
    init_lora_weights: config.init_lora_weights,
    layers_to_transform: config.layers_to_transform,
    layers_pattern: null,
    rank_pattern: config.rank_pattern,
    alpha_pattern: config.alpha_pattern,
  }),
  fromAdapterConfig: (json, architecture, file) => {
    checkLayersPattern(json, architecture, file);
    // Tied modules were trained as one tensor and saved as two equal copies.
    const saved = json['modules_to_save'];
    const tied = json['ensure_weight_tying'] === true && Array.isArray(saved);
    const ends = [architecture.embedding, architecture.head];
    const whole = tied && { modules_to_save: [...new Set([...saved, ...ends])] };
    return savedLoraConfig({ ...json, ...whole }, file);
  },
  merge: (config, architecture, tensorOf, base) =>
    new Map(
      adaptedModules(config, architecture).map(entry => {
        const name = `${entry.module.name}.weight`;
        const merged = () => {
          const sum = tf.add(base(name), delta(entry, tensorOf)) as tf.Tensor2D;
          if (!entry.magnitude) return sum;
          const ratio = tf.div(tensorOf(entry.magnitude), outputNorms(sum, entry.module.conv1d));
          return tf.mul(sum, entry.module.conv1d ? tf.expandDims(ratio, 0) : tf.expandDims(ratio, 1));
        };
        return [name, merged];
      }),
    ),
};
