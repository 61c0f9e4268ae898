// GPT-2 (learned positions, LayerNorm, one fused q/k/v projection, weights as Conv1D [in, out]).
import { z } from 'zod';
import { InputError } from '../../../core/inputError.js';
import type { LayerSpec, LinearSpec, ModelDescription, ModelFamily, NormSpec } from '../architecture.js';
import { readConfig } from './readConfig.js';

const size = z.int().positive().max(10_000_000);

const configSchema = z.looseObject({
  n_embd: size,
  n_layer: size.max(1000),
  n_head: size,
  n_positions: size.default(1024),
  n_inner: size.nullish(),
  vocab_size: size,
  layer_norm_epsilon: z.number().positive().default(1e-5),
  activation_function: z.string().default('gelu_new'),
  tie_word_embeddings: z.boolean().nullish(),
});

export const gpt2: ModelFamily = { modelType: 'gpt2', describe };

function describe(raw: Record<string, unknown>, file: string): ModelDescription {
  const config = readConfig(configSchema, raw, file);
  if (!['gelu_new', 'gelu_pytorch_tanh'].includes(config.activation_function))
    throw new InputError(`activation_function "${config.activation_function}" is not supported`, { file });
  const hidden = config.n_embd;
  const heads = config.n_head;
  const headDim = hidden / heads;
  if (!Number.isInteger(headDim))
    throw new InputError(`n_embd (${hidden}) is not a multiple of n_head (${heads})`, { file });
  const norm = (name: string): NormSpec => ({ kind: 'layer', name, epsilon: config.layer_norm_epsilon });
  const conv1d = (name: string): LinearSpec => ({ name, hasBias: true, conv1d: true });
  const layer: LayerSpec = {
    attentionNorm: norm('ln_1'),
    attention: {
      heads,
      keyValueHeads: heads,
      headDim,
      window: null,
      rotary: null,
      projections: [conv1d('attn.c_attn')],
      headNorms: null,
      output: conv1d('attn.c_proj'),
    },
    mlpNorm: norm('ln_2'),
    mlp: {
      kind: 'gelu_new',
      width: config.n_inner ?? 4 * hidden,
      up: conv1d('mlp.c_fc'),
      down: conv1d('mlp.c_proj'),
    },
  };

  return {
    modelType: 'gpt2',
    hiddenSize: hidden,
    vocabSize: config.vocab_size,
    maxPositions: config.n_positions,
    embedding: 'transformer.wte',
    positionEmbedding: 'transformer.wpe',
    blocks: 'transformer.h',
    layers: Array.from({ length: config.n_layer }, () => layer),
    finalNorm: norm('transformer.ln_f'),
    head: 'lm_head',
    tieWordEmbeddings: config.tie_word_embeddings ?? true,
    defaultTargets: { lora: ['c_attn'], ia3: ['c_attn', 'mlp.c_proj'], ia3FeedForward: ['mlp.c_proj'] },
  };
}
