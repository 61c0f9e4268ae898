// P-tuning (arXiv:2103.10385): virtual tokens whose embeddings are the output of a small trained network. As in PEFT,
// the adapter file contains only that output; training again from it starts with a new network.
import * as tf from '@tensorflow/tfjs-core';
import * as z from 'zod';
import { about } from '../../protocol/about.js';
import { InputError } from '../../core/inputError.js';
import type { PeftMethod, TensorOf } from './method.js';
import { numVirtualTokens } from './schemas.js';
import { applyEncoderLayer, encoderLayer, otherPromptKeys, PROMPT_KEY, promptSizes } from './virtualTokens.js';

const schema = z.strictObject({
  num_virtual_tokens: numVirtualTokens,
  encoder_reparameterization_type: z
    .literal('MLP')
    .default('MLP')
    .meta(about('Network', 'Type of the network: an MLP with two hidden ReLU layers')),
  encoder_hidden_size: z
    .int()
    .positive()
    .max(65536)
    .nullable()
    .default(null)
    .meta(about('Width of the network', 'Width of its hidden layers; null: the model’s hidden size')),
});
type Config = z.infer<typeof schema>;

const EMBEDDING = 'embedding.weight';
/** Names of the linear layers in PEFT's torch.nn.Sequential. */
const LAYERS = ['mlp_head.0', 'mlp_head.2', 'mlp_head.4'] as const;

function encode(tensorOf: TensorOf): tf.Tensor2D {
  const hidden = LAYERS.slice(0, 2).reduce(
    (x, layer) => tf.relu(applyEncoderLayer(layer, x, tensorOf)),
    tensorOf(EMBEDDING) as tf.Tensor2D,
  );
  return applyEncoderLayer(LAYERS[2], hidden, tensorOf);
}

export const pTuning: PeftMethod<Config> = {
  peftType: 'P_TUNING',
  title: 'P-tuning',
  summary: 'Trains a small network that generates virtual tokens, which is easier than training the tokens themselves.',
  family: 'additive',
  learningRate: 1e-3,
  schema,
  identityAtStart: () => false,
  storage: 'adapter',
  plan: (config, { hiddenSize }, purpose) => {
    const shape = [config.num_virtual_tokens, hiddenSize];
    if (purpose === 'inference') return [{ key: PROMPT_KEY, shape, init: { kind: 'zeros' } }];
    const width = config.encoder_hidden_size ?? hiddenSize;
    return [
      { key: EMBEDDING, shape, init: { kind: 'normal', std: 1 } },
      ...encoderLayer(LAYERS[0], hiddenSize, width),
      ...encoderLayer(LAYERS[1], width, width),
      ...encoderLayer(LAYERS[2], width, hiddenSize),
    ];
  },
  hooks: (config, _architecture, tensorOf, purpose) => ({
    virtualTokens: {
      count: config.num_virtual_tokens,
      embeddings: () => (purpose === 'inference' ? (tensorOf(PROMPT_KEY) as tf.Tensor2D) : encode(tensorOf)),
    },
  }),
  otherKeys: otherPromptKeys('encoder_num_layers', 'encoder_dropout'),
  python: { configClass: 'PromptEncoderConfig' },
  toAdapterConfig: (config, architecture) => ({
    num_virtual_tokens: config.num_virtual_tokens,
    encoder_reparameterization_type: config.encoder_reparameterization_type,
    encoder_hidden_size: config.encoder_hidden_size ?? architecture.hiddenSize,
    encoder_num_layers: 2,
    encoder_dropout: 0,
    ...promptSizes(architecture, 'tokens'),
  }),
  fromAdapterConfig: (json, _architecture, file) => {
    // Loading needs only the network's output, so an LSTM's is fine; training an LSTM is not supported.
    if (json['encoder_reparameterization_type'] === 'LSTM' && json['inference_mode'] === false)
      throw new InputError('an LSTM prompt encoder is not supported', { file });
    return schema.parse({
      num_virtual_tokens: json['num_virtual_tokens'],
      encoder_hidden_size: json['encoder_hidden_size'] ?? null,
    });
  },
  toAdapterTensors: (_config, _architecture, tensorOf) => new Map([[PROMPT_KEY, tf.tidy(() => encode(tensorOf))]]),
};
