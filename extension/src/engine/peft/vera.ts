// VeRA (arXiv:2310.11454): y = W x + λb ∘ (B (λd ∘ (A x))) with one random A [r, largest in] and B [largest out, r] for
// all modules, frozen and sliced to each module's size; only the vectors λd [r] and λb [out] are trained. A and B are
// drawn with torch's generator, so that the same seed gives PEFT's values. Names, defaults and files are PEFT's.
import * as tf from '@tensorflow/tfjs-core';
import * as z from 'zod';
import { about } from '../../protocol/about.js';
import { TorchGenerator } from '../data/torchGenerator.js';
import type { Architecture, LinearModule } from '../models/architecture.js';
import type { LinearCall } from '../models/hooks.js';
import { matMulTransposed } from '../models/ops.js';
import { checkLayersPattern, knownValues } from './adapterConfig.js';
import type { LoraForm, PeftMethod, TensorOf, TensorSpec } from './method.js';
import { modulesToSave, PEFT_PREFIX, trainedBiases, trainedWhole } from './replacedParameters.js';
import { layersToTransform, MAX_RANK, modulesToSaveKey, targetModules } from './schemas.js';
import { savedTargets, targetedLinears } from './targets.js';

const A = 'base_model.vera_A';
const B = 'base_model.vera_B';

const schema = z.strictObject({
  r: z
    .int()
    .positive()
    .max(MAX_RANK)
    .default(256)
    .meta(about('Rank', 'Rows of A and columns of B; higher than for LoRA, since A and B are not trained')),
  vera_dropout: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .meta(about('Dropout', 'Dropout on the adapter’s input while training')),
  d_initial: z
    .number()
    .positive()
    .default(0.1)
    .meta(about('Initial λd', 'Initial value of every entry of the vectors λd')),
  target_modules: targetModules,
  layers_to_transform: layersToTransform,
  bias: z
    .enum(['none', 'all', 'vera_only'])
    .default('none')
    .meta(about('Biases', 'Also train biases: all, or only those of the adapted modules')),
  modules_to_save: modulesToSaveKey,
  projection_prng_key: z
    .int()
    .nonnegative()
    .default(0)
    .meta(about('Seed of A and B', 'Seed of the two random matrices')),
  save_projection: z
    .boolean()
    .default(true)
    .meta(about('Save A and B', 'false: the adapter is smaller, and A and B are drawn from the seed on loading')),
  init_weights: z
    .boolean()
    .default(true)
    .meta(about('Initialization', 'true: the update is 0 at first; false: λd is normal and λb 1, for tests')),
});
type Config = z.infer<typeof schema>;

/** One adapted module, with the keys of its vectors. */
interface Adapted {
  module: LinearModule;
  d: string;
  b: string;
}

function adaptedModules(config: Config, architecture: Architecture): Adapted[] {
  return targetedLinears(config, architecture, architecture.defaultTargets.lora).map(module => {
    const prefix = `${PEFT_PREFIX}${module.name}.vera_lambda_`;
    return { module, d: `${prefix}d`, b: `${prefix}b` };
  });
}

/** Shapes of A and B: each dimension is that of the largest module. */
function projectionShapes(r: number, adapted: readonly Adapted[]): { a: [number, number]; b: [number, number] } {
  const largest = (of: (module: LinearModule) => number) => Math.max(...adapted.map(({ module }) => of(module)));
  return { a: [r, largest(module => module.inFeatures)], b: [largest(module => module.outFeatures), r] };
}

/** A, then B, drawn as in PEFT: Kaiming uniform, within sqrt(6 / columns). */
function drawProjections({ r, projection_prng_key: seed }: Config, adapted: readonly Adapted[]) {
  const generator = new TorchGenerator(seed);
  const draw = ([rows, columns]: [number, number]) => {
    const bound = Math.sqrt(3) * (Math.sqrt(2) / Math.sqrt(columns));
    return generator.uniform(rows * columns, -bound, bound);
  };
  const shapes = projectionShapes(r, adapted);
  const a = draw(shapes.a);
  return { a, b: draw(shapes.b) };
}

function plan(config: Config, architecture: Architecture): TensorSpec[] {
  const adapted = adaptedModules(config, architecture);
  const { r, d_initial: initial, init_weights: plain } = config;
  const shapes = projectionShapes(r, adapted);
  const frozen = config.save_projection ? 'saved' : 'recomputed';
  const drawn = (name: 'a' | 'b') =>
    ({
      shape: shapes[name],
      init: {
        kind: 'computed',
        compute: () => tf.tensor(drawProjections(config, adapted)[name], shapes[name]),
      } as const,
      frozen,
    }) as const;
  const vectors = adapted.flatMap(({ module, d, b }): TensorSpec[] => [
    {
      key: d,
      shape: [r],
      init: plain ? { kind: 'computed', compute: () => tf.fill([r], initial) } : { kind: 'normal', std: 1 },
    },
    { key: b, shape: [module.outFeatures], init: { kind: plain ? 'zeros' : 'ones' } },
  ]);
  const names = new Set(adapted.map(({ module }) => module.name));
  return [
    { key: A, ...drawn('a') },
    { key: B, ...drawn('b') },
    ...vectors,
    ...trainedBiases(config.bias === 'vera_only' ? 'adapted' : config.bias, names, architecture),
    ...modulesToSave(config.modules_to_save, architecture),
  ];
}

/** A and B, sliced to a module's size: [r, in] and [out, r]. */
function slicedTo({ inFeatures, outFeatures }: LinearModule, tensorOf: TensorOf): { a: tf.Tensor2D; b: tf.Tensor2D } {
  const [a, b] = [tensorOf(A) as tf.Tensor2D, tensorOf(B) as tf.Tensor2D];
  return {
    a: a.shape[1] === inFeatures ? a : tf.slice(a, [0, 0], [-1, inFeatures]),
    b: b.shape[0] === outFeatures ? b : tf.slice(b, [0, 0], [outFeatures, -1]),
  };
}

function asLora(config: Config, architecture: Architecture): LoraForm | string {
  const beyond = trainedWhole(config);
  if (beyond !== null) return beyond;
  const adapted = adaptedModules(config, architecture);
  const { r } = config;
  const [, width] = projectionShapes(r, adapted).a;
  const drawn = config.save_projection ? null : drawProjections(config, adapted);
  return {
    dropout: config.vera_dropout,
    factors: adapted.map(({ module, d, b }) => ({
      module,
      rank: r,
      scale: 1,
      a: read => {
        const [values, lambda, columns] = [drawn?.a ?? read(A), read(d), module.inFeatures];
        return Float32Array.from(
          { length: r * columns },
          (_, at) => lambda[Math.floor(at / columns)]! * values[Math.floor(at / columns) * width + (at % columns)]!,
        );
      },
      b: read => {
        const [values, lambda] = [drawn?.b ?? read(B), read(b)];
        return values.slice(0, module.outFeatures * r).map((value, at) => lambda[Math.floor(at / r)]! * value);
      },
    })),
  };
}

export const vera: PeftMethod<Config> = {
  peftType: 'VERA',
  title: 'VeRA',
  summary: 'Trains two scaling vectors per module for random matrices that all modules share; very few parameters.',
  family: 'reparameterization',
  learningRate: 4e-3,
  schema,
  identityAtStart: ({ init_weights: plain }) => plain,
  storage: 'adapter',
  plan,
  hooks: (config, architecture, tensorOf) => ({
    linear: new Map(
      adaptedModules(config, architecture).map(({ module, d, b }) => {
        const apply = (call: LinearCall) => {
          const sliced = slicedTo(module, tensorOf);
          const narrow = tf.mul(matMulTransposed(call.dropout(call.x, config.vera_dropout), sliced.a), tensorOf(d));
          const update = tf.mul(matMulTransposed(narrow as tf.Tensor2D, sliced.b), tensorOf(b));
          return tf.add(call.base(call.x), update) as tf.Tensor2D;
        };
        return [module.name, apply];
      }),
    ),
  }),
  asLora,
  otherKeys: { withoutEffect: ['fan_in_fan_out', 'layers_pattern'], refused: [] },
  python: { configClass: 'VeraConfig' },
  toAdapterConfig: (config, architecture) => ({
    ...config,
    target_modules: savedTargets(config.target_modules, architecture),
    fan_in_fan_out: architecture.linears.some(module => module.conv1d),
    layers_pattern: null,
  }),
  fromAdapterConfig: (json, architecture, file) => {
    checkLayersPattern(json, architecture, file);
    return schema.parse({ ...knownValues(schema, json), init_weights: true });
  },
  merge: (config, architecture, tensorOf, base) =>
    new Map(
      adaptedModules(config, architecture).map(({ module, d, b }) => {
        const name = `${module.name}.weight`;
        const merged = () => {
          const sliced = slicedTo(module, tensorOf);
          const [left, right] = [tf.expandDims(tensorOf(b), 1), tf.expandDims(tensorOf(d), 1)];
          const delta = tf.matMul(tf.mul(left, sliced.b) as tf.Tensor2D, tf.mul(right, sliced.a) as tf.Tensor2D);
          return tf.add(base(name), module.conv1d ? tf.transpose(delta) : delta);
        };
        return [name, merged];
      }),
    ),
};
