// Prompt tuning (arXiv:2104.08691): trained embeddings of virtual tokens before each example. PEFT's names and files.
import * as tf from '@tensorflow/tfjs-core';
import * as z from 'zod';
import { about } from '../../protocol/about.js';
import { InputError } from '../../core/inputError.js';
import type { Initializer, PeftMethod } from './method.js';
import { numVirtualTokens } from './schemas.js';
import { otherPromptKeys, PROMPT_KEY, promptSizes } from './virtualTokens.js';

const schema = z
  .strictObject({
    num_virtual_tokens: numVirtualTokens,
    prompt_tuning_init: z
      .enum(['RANDOM', 'TEXT', 'SAMPLE_VOCAB'])
      .default('RANDOM')
      .meta(
        about(
          'Initialization',
          'Initialize with random vectors, the tokens of a text, or random tokens of the vocabulary',
        ),
      ),
    prompt_tuning_init_text: z
      .string()
      .min(1)
      .nullable()
      .default(null)
      .meta(about('Initialization text', 'Text whose tokens are used, repeated or truncated to fit; for TEXT')),
  })
  .refine(config => config.prompt_tuning_init !== 'TEXT' || config.prompt_tuning_init_text !== null, {
    path: ['prompt_tuning_init_text'],
    message: 'prompt_tuning_init "TEXT" requires a text',
  });
type Config = z.infer<typeof schema>;

function initializer(config: Config, embedding: string, vocabSize: number): Initializer {
  if (config.prompt_tuning_init === 'RANDOM') return { kind: 'normal', std: 1 };
  return {
    kind: 'computed',
    compute: ({ base, rng, tokenize }) => {
      const text = config.prompt_tuning_init === 'TEXT' ? tokenize(config.prompt_tuning_init_text!) : null;
      if (text?.length === 0) throw new InputError('the text has no tokens', { key: 'method.prompt_tuning_init_text' });
      const ids = Array.from({ length: config.num_virtual_tokens }, (_, i) =>
        text ? text[i % text.length]! : rng.int(vocabSize),
      );
      return tf.gather(base(`${embedding}.weight`), tf.tensor1d(ids, 'int32'));
    },
  };
}

export const promptTuning: PeftMethod<Config> = {
  peftType: 'PROMPT_TUNING',
  title: 'Prompt tuning',
  summary: 'Trains a few virtual tokens before the input; the model itself is not changed.',
  family: 'additive',
  learningRate: 3e-2,
  schema,
  identityAtStart: () => false,
  storage: 'adapter',
  plan: (config, { embedding, hiddenSize, vocabSize }) => [
    {
      key: PROMPT_KEY,
      shape: [config.num_virtual_tokens, hiddenSize],
      init: initializer(config, embedding, vocabSize),
    },
  ],
  hooks: (config, _architecture, tensorOf) => ({
    virtualTokens: { count: config.num_virtual_tokens, embeddings: () => tensorOf(PROMPT_KEY) as tf.Tensor2D },
  }),
  otherKeys: otherPromptKeys(
    'prompt_tuning_init',
    'prompt_tuning_init_text',
    'tokenizer_name_or_path',
    'tokenizer_kwargs',
  ),
  // For TEXT, PEFT requires a tokenizer even for loading, so the saved config says RANDOM: initialization is over.
  python: { configClass: 'PromptTuningConfig' },
  toAdapterConfig: (config, architecture) => ({
    num_virtual_tokens: config.num_virtual_tokens,
    prompt_tuning_init: 'RANDOM',
    prompt_tuning_init_text: null,
    tokenizer_name_or_path: null,
    ...promptSizes(architecture, 'tokens'),
  }),
  fromAdapterConfig: json => schema.parse({ num_virtual_tokens: json['num_virtual_tokens'] }),
};
