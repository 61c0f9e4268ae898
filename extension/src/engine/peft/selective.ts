// Selective fine-tuning: a chosen subset of the model's own parameters is trained (BitFit, arXiv:2106.10199, is
// `select: "bias"`). Saved under the base model's tensor names, with a separate config file.
import * as z from 'zod';
import { about } from '../../protocol/about.js';
import { InputError } from '../../core/inputError.js';
import type { Architecture, ParameterSpec } from '../models/architecture.js';
import type { PeftMethod } from './method.js';
import { trainedParameter } from './replacedParameters.js';
import { fullMatch } from './targets.js';

const schema = z.strictObject({
  select: z
    .enum(['bias', 'norm', 'last_layers', 'first_layers', 'pattern'])
    .default('last_layers')
    .meta(about('Parameters', 'Parameters to train: biases, norms, the last or first blocks, or a pattern')),
  num_layers: z.int().positive().default(2).meta(about('Blocks', 'Number of blocks; for last_layers and first_layers')),
  pattern: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .meta(about('Pattern', 'Regular expression that matches complete parameter names; for pattern')),
});
type Config = z.infer<typeof schema>;

function selected(config: Config, architecture: Architecture): ParameterSpec[] {
  const { layers, parameters } = architecture;
  const numLayers = layers.length;
  if (config.select.endsWith('_layers') && config.num_layers > numLayers)
    throw new InputError(`the model has only ${numLayers} ${numLayers === 1 ? 'layer' : 'layers'}`, {
      key: 'method.num_layers',
    });
  if (config.select === 'pattern' && config.pattern === null)
    throw new InputError('select "pattern" requires a pattern', { key: 'method.pattern' });
  const rules: Record<Config['select'], (parameter: ParameterSpec) => boolean> = {
    bias: ({ name }) => name.endsWith('.bias'),
    norm: ({ kind }) => kind === 'norm',
    last_layers: ({ layer }) => layer !== null && layer >= numLayers - config.num_layers,
    first_layers: ({ layer }) => layer !== null && layer < config.num_layers,
    pattern: ({ name }) => fullMatch(config.pattern!, name, { key: 'method.pattern' }),
  };
  const found = parameters.filter(rules[config.select]);
  if (found.length === 0)
    throw new InputError(
      config.select === 'bias' ? 'this model has no biases' : `"${config.pattern}" matches no parameter of this model`,
      {
        key: `method.${config.select === 'pattern' ? 'pattern' : 'select'}`,
        hint: `Examples of parameter names: ${[0, 1, -1].map(i => parameters.at(i)!.name).join(', ')}.`,
      },
    );
  return found;
}

/** The same choice by the names that Transformers has. */
function pythonCondition(config: Config, architecture: Architecture): string {
  const found = selected(config, architecture);
  switch (config.select) {
    case 'bias':
      return 'name.endswith(".bias")';
    case 'norm': {
      const modules = new Set(found.map(({ name }) => name.split('.').at(-2)!));
      return `name.split(".")[-2] in {${[...modules].map(module => JSON.stringify(module)).join(', ')}}`;
    }
    case 'pattern':
      return `re.fullmatch(${JSON.stringify(config.pattern)}, name) is not None`;
    default: {
      const layers = new Set(found.map(({ layer }) => `"${architecture.blocks}.${layer}."`));
      return `name.startswith((${[...layers].join(', ')},))`;
    }
  }
}

export const selective: PeftMethod<Config> = {
  peftType: 'SELECTIVE',
  title: 'Selective',
  summary: 'Trains a chosen part of the model’s own parameters and freezes the rest.',
  family: 'selective',
  learningRate: 1e-4,
  schema,
  identityAtStart: () => true,
  storage: 'selective',
  plan: (config, architecture) =>
    selected(config, architecture).map(parameter => trainedParameter(parameter, architecture)),
  hooks: () => ({}),
  python: { trained: pythonCondition },
  toAdapterConfig: config => ({ ...config }),
  fromAdapterConfig: json =>
    schema.parse({ select: json['select'], num_layers: json['num_layers'], pattern: json['pattern'] }),
  merge: () => new Map(),
};
