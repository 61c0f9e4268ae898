// Prefix tuning (arXiv:2101.00190): trained keys and values that every token attends to in every layer. PEFT's names
// and files: one tensor [tokens, layers * 2 * token_dim], for each layer the keys, then the values.
import * as tf from '@tensorflow/tfjs-core';
import * as z from 'zod';
import { about } from '../../protocol/about.js';
import type { PeftMethod, Purpose, TensorOf } from './method.js';
import { numVirtualTokens } from './schemas.js';
import {
  applyEncoderLayer,
  encoderLayer,
  otherPromptKeys,
  prefixHeads,
  PROMPT_KEY,
  promptSizes,
} from './virtualTokens.js';

const schema = z.strictObject({
  num_virtual_tokens: numVirtualTokens,
  prefix_projection: z
    .boolean()
    .default(false)
    .meta(about('Prefix network', 'Generate the prefix with a small trained network')),
  encoder_hidden_size: z
    .int()
    .positive()
    .max(65536)
    .nullable()
    .default(null)
    .meta(about('Width of the network', 'Width of that network; null: the width of the keys')),
});
type Config = z.infer<typeof schema>;

const EMBEDDING = 'embedding.weight';
const LAYERS = ['transform.0', 'transform.2'] as const;

/** [tokens, layers * 2 * token_dim] */
function prefix(config: Config, tensorOf: TensorOf, purpose: Purpose): tf.Tensor2D {
  if (!config.prefix_projection || purpose === 'inference') return tensorOf(PROMPT_KEY) as tf.Tensor2D;
  const hidden = tf.tanh(applyEncoderLayer(LAYERS[0], tensorOf(EMBEDDING) as tf.Tensor2D, tensorOf));
  return applyEncoderLayer(LAYERS[1], hidden, tensorOf);
}

export const prefixTuning: PeftMethod<Config> = {
  peftType: 'PREFIX_TUNING',
  title: 'Prefix tuning',
  summary: 'Trains keys and values before the input that every layer attends to.',
  family: 'additive',
  learningRate: 1e-2,
  schema,
  identityAtStart: () => false,
  storage: 'adapter',
  plan: (config, architecture, purpose) => {
    const { numLayers, width } = prefixHeads(architecture);
    if (!config.prefix_projection || purpose === 'inference') {
      const shape = [config.num_virtual_tokens, numLayers * 2 * width];
      return [{ key: PROMPT_KEY, shape, init: { kind: 'normal', std: 1 } }];
    }
    const hidden = config.encoder_hidden_size ?? width;
    return [
      { key: EMBEDDING, shape: [config.num_virtual_tokens, width], init: { kind: 'normal', std: 1 } },
      ...encoderLayer(LAYERS[0], width, hidden),
      ...encoderLayer(LAYERS[1], hidden, numLayers * 2 * width),
    ];
  },
  hooks: (config, architecture, tensorOf, purpose) => {
    const { numLayers, keyValueHeads, headDim } = prefixHeads(architecture);
    const count = config.num_virtual_tokens;
    const layers = () => {
      const all = tf.reshape(prefix(config, tensorOf, purpose), [count, numLayers * 2, keyValueHeads, headDim]);
      const parts = tf.unstack(tf.transpose(all, [1, 2, 0, 3])) as tf.Tensor3D[];
      return Array.from({ length: numLayers }, (_, i) => ({ keys: parts[2 * i]!, values: parts[2 * i + 1]! }));
    };
    return { keyValuePrefix: { count, layers } };
  },
  otherKeys: otherPromptKeys('init_weights'),
  python: { configClass: 'PrefixTuningConfig' },
  toAdapterConfig: (config, architecture) => ({
    num_virtual_tokens: config.num_virtual_tokens,
    prefix_projection: config.prefix_projection,
    encoder_hidden_size: config.encoder_hidden_size ?? prefixHeads(architecture).width,
    ...promptSizes(architecture, 'keyValues'),
  }),
  fromAdapterConfig: json =>
    schema.parse({
      num_virtual_tokens: json['num_virtual_tokens'],
      prefix_projection: json['prefix_projection'] ?? false,
      encoder_hidden_size: json['encoder_hidden_size'] ?? null,
    }),
  toAdapterTensors: (config, _architecture, tensorOf) =>
    new Map([[PROMPT_KEY, tf.tidy(() => tf.clone(prefix(config, tensorOf, 'training')))]]),
};
