// Full fine-tuning: all parameters of the model are trained, and a complete model is written.
import * as z from 'zod';
import type { PeftMethod } from './method.js';
import { trainedParameter } from './replacedParameters.js';

const schema = z.strictObject({});

export const full: PeftMethod<z.infer<typeof schema>> = {
  peftType: 'FULL',
  title: 'Full fine-tuning',
  summary: 'Trains all parameters; needs the most memory and writes a complete model.',
  family: 'full',
  learningRate: 2e-5,
  schema,
  identityAtStart: () => true,
  storage: 'model',
  plan: (_config, architecture) => architecture.parameters.map(parameter => trainedParameter(parameter, architecture)),
  hooks: () => ({}),
  python: { trained: () => null },
  toAdapterConfig: () => ({}),
  fromAdapterConfig: () => ({}),
  merge: () => new Map(),
};
