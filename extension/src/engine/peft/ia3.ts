// (IA)³ (arXiv:2205.05638): a trained vector scales the output of attention projections and the input of feed-forward
// ones; a few thousand parameters in total. Names, defaults and files are PEFT's.
import * as tf from '@tensorflow/tfjs-core';
import * as z from 'zod';
import { about } from '../../protocol/about.js';
import { InputError } from '../../core/inputError.js';
import type { Architecture, LinearModule } from '../models/architecture.js';
import type { LinearCall } from '../models/hooks.js';
import { knownValues } from './adapterConfig.js';
import type { PeftMethod } from './method.js';
import { modulesToSave, PEFT_PREFIX } from './replacedParameters.js';
import { excludeModules, modulesToSaveKey, targetModules } from './schemas.js';
import { matchesTarget, targetedLinears } from './targets.js';

const schema = z.strictObject({
  target_modules: targetModules,
  exclude_modules: excludeModules,
  feedforward_modules: z
    .union([z.array(z.string().min(1)), z.string().min(1)])
    .nullable()
    .default(null)
    .meta(
      about('Feed-forward modules', 'Targets whose input is scaled instead of the output; null: the family’s defaults'),
    ),
  modules_to_save: modulesToSaveKey,
});
type Config = z.infer<typeof schema>;

interface Scaled {
  module: LinearModule;
  feedForward: boolean;
  key: string;
}

function scaledModules(config: Config, architecture: Architecture): Scaled[] {
  const { ia3, ia3FeedForward } = architecture.defaultTargets;
  const feedForward = config.feedforward_modules ?? ia3FeedForward;
  const modules = targetedLinears(config, architecture, ia3);
  const { target_modules: targets, feedforward_modules: listed } = config;
  for (const entry of Array.isArray(listed) ? listed : [])
    if (Array.isArray(targets) && !targets.includes(entry))
      throw new InputError(`"${entry}" is not one of the target modules`, {
        key: 'method.feedforward_modules',
        hint: 'Add it to target_modules as well.',
      });
  return modules.map(module => ({
    module,
    feedForward: isFeedForward(module.name, feedForward),
    key: `${PEFT_PREFIX}${module.name}.ia3_l`,
  }));
}

/** Unlike target_modules, PEFT matches these names by any suffix. */
export function isFeedForward(name: string, feedForward: readonly string[] | string): boolean {
  if (typeof feedForward === 'string') return matchesTarget(name, feedForward, 'method.feedforward_modules');
  return feedForward.some(entry => name.endsWith(entry));
}

export const ia3: PeftMethod<Config> = {
  peftType: 'IA3',
  title: '(IA)³',
  summary: 'Trains one scaling vector per projection; the fewest parameters of all.',
  family: 'additive',
  learningRate: 3e-3,
  schema,
  identityAtStart: () => true,
  storage: 'adapter',
  plan: (config, architecture) => [
    ...scaledModules(config, architecture).map(({ module, feedForward, key }) => ({
      key,
      shape: feedForward ? [1, module.inFeatures] : [module.outFeatures, 1],
      init: { kind: 'ones' } as const,
    })),
    ...modulesToSave(config.modules_to_save, architecture),
  ],
  hooks: (config, architecture, tensorOf) => {
    const entries = scaledModules(config, architecture).map(({ module, feedForward, key }) => {
      const scale = () => tf.reshape(tensorOf(key), [1, -1]);
      const apply = ({ x, base }: LinearCall) =>
        feedForward ? base(tf.mul(x, scale()) as tf.Tensor2D) : (tf.mul(base(x), scale()) as tf.Tensor2D);
      return [module.name, apply] as const;
    });
    return { linear: new Map(entries) };
  },
  otherKeys: { withoutEffect: ['fan_in_fan_out', 'init_ia3_weights'], refused: [] },
  python: { configClass: 'IA3Config' },
  toAdapterConfig: (config, architecture) => ({
    target_modules: config.target_modules ?? [...architecture.defaultTargets.ia3],
    exclude_modules: config.exclude_modules,
    feedforward_modules:
      config.feedforward_modules ??
      architecture.defaultTargets.ia3FeedForward.filter(name =>
        scaledModules(config, architecture).some(({ module }) => matchesTarget(module.name, [name])),
      ),
    fan_in_fan_out: architecture.linears.some(module => module.conv1d),
    modules_to_save: config.modules_to_save,
    init_ia3_weights: true,
  }),
  fromAdapterConfig: json => schema.parse(knownValues(schema, json)),
  merge: (config, architecture, tensorOf, base) => {
    const merged = new Map<string, () => tf.Tensor>();
    for (const { module, feedForward, key } of scaledModules(config, architecture)) {
      const scale = tensorOf(key);
      // A Conv1D weight has a row per input, a linear one a column per input.
      const alongRows = feedForward === module.conv1d;
      const name = `${module.name}.weight`;
      merged.set(name, () => tf.mul(base(name), tf.reshape(scale, alongRows ? [-1, 1] : [1, -1])));
      if (module.hasBias && !feedForward)
        merged.set(`${module.name}.bias`, () => tf.mul(base(`${module.name}.bias`), tf.reshape(scale, [-1])));
    }
    return merged;
  },
};
