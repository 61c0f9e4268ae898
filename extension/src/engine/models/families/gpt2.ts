// GPT-2 (learned positions, LayerNorm, one fused q/k/v projection, weights as Conv1D [in, out]).
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { InputError } from '../../../core/inputError.js';
import type { Architecture, ForwardPass, LinearModule, ModelFamily, ParameterSpec } from '../architecture.js';
import { gatherRows, geluNew, layerNorm } from '../ops.js';
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

export const gpt2: ModelFamily = { modelType: 'gpt2', architecture: build };

function build(raw: Record<string, unknown>, where: string): Architecture {
  const config = readConfig(configSchema, raw, where);
  if (!['gelu_new', 'gelu_pytorch_tanh'].includes(config.activation_function))
    throw new InputError(`activation_function "${config.activation_function}" is not supported`, { where });
  const hidden = config.n_embd;
  const heads = config.n_head;
  const headDim = hidden / heads;
  if (!Number.isInteger(headDim))
    throw new InputError(`n_embd (${hidden}) is no multiple of n_head (${heads})`, { where });
  const inner = config.n_inner ?? 4 * hidden;
  const epsilon = config.layer_norm_epsilon;

  const parameters: ParameterSpec[] = [];
  const linears: LinearModule[] = [];
  const norm = (name: string, layer: number | null) => {
    parameters.push({ name: `${name}.weight`, shape: [hidden], kind: 'norm', layer });
    parameters.push({ name: `${name}.bias`, shape: [hidden], kind: 'norm', layer });
  };
  const conv1d = (name: string, inFeatures: number, outFeatures: number, layer: number) => {
    linears.push({ name, inFeatures, outFeatures, hasBias: true, conv1d: true, layer });
    parameters.push({ name: `${name}.weight`, shape: [inFeatures, outFeatures], kind: 'linear', layer });
    parameters.push({ name: `${name}.bias`, shape: [outFeatures], kind: 'linear', layer });
  };
  const embedding = (name: string, rows: number) =>
    parameters.push({ name: `${name}.weight`, shape: [rows, hidden], kind: 'embedding', layer: null });

  embedding('transformer.wte', config.vocab_size);
  embedding('transformer.wpe', config.n_positions);
  for (let i = 0; i < config.n_layer; i++) {
    const block = `transformer.h.${i}`;
    norm(`${block}.ln_1`, i);
    conv1d(`${block}.attn.c_attn`, hidden, 3 * hidden, i);
    conv1d(`${block}.attn.c_proj`, hidden, hidden, i);
    norm(`${block}.ln_2`, i);
    conv1d(`${block}.mlp.c_fc`, hidden, inner, i);
    conv1d(`${block}.mlp.c_proj`, inner, hidden, i);
  }
  norm('transformer.ln_f', null);
  const tied = config.tie_word_embeddings ?? true;
  linears.push({
    name: 'lm_head',
    inFeatures: hidden,
    outFeatures: config.vocab_size,
    hasBias: false,
    conv1d: false,
    layer: null,
  });
  if (!tied)
    parameters.push({ name: 'lm_head.weight', shape: [config.vocab_size, hidden], kind: 'linear', layer: null });

  const normalize = (pass: ForwardPass, x: tf.Tensor2D, name: string) =>
    layerNorm(x, pass.parameter(`${name}.weight`), pass.parameter(`${name}.bias`), epsilon);
  const embed = (pass: ForwardPass): tf.Tensor2D => {
    const positions = gatherRows(pass.parameter('transformer.wpe.weight') as tf.Tensor2D, pass.positions);
    return tf.add(pass.embedTokens('transformer.wte'), positions);
  };
  const layer = (pass: ForwardPass, i: number, x: tf.Tensor2D): tf.Tensor2D => {
    const [batch, seq] = pass.input.inputIds.shape;
    const block = `transformer.h.${i}`;
    const qkv = pass.linear(`${block}.attn.c_attn`, normalize(pass, x, `${block}.ln_1`));
    const [q, k, v] = tf
      .split(qkv, 3, 1)
      .map(part => tf.reshape(part, [batch, seq, heads, headDim]) as tf.Tensor4D) as [
      tf.Tensor4D,
      tf.Tensor4D,
      tf.Tensor4D,
    ];
    const attended = pass.attend(i, q, k, v);
    const h = tf.add(x, pass.sublayer(i, 'attention', pass.linear(`${block}.attn.c_proj`, attended))) as tf.Tensor2D;
    const activated = geluNew(pass.linear(`${block}.mlp.c_fc`, normalize(pass, h, `${block}.ln_2`)));
    return tf.add(h, pass.sublayer(i, 'feed_forward', pass.linear(`${block}.mlp.c_proj`, activated)));
  };

  return {
    modelType: 'gpt2',
    numLayers: config.n_layer,
    hiddenSize: hidden,
    intermediateSize: inner,
    numHeads: heads,
    numKeyValueHeads: heads,
    headDim,
    vocabSize: config.vocab_size,
    maxPositions: config.n_positions,
    slidingWindow: null,
    rotary: null,
    parameters,
    linears,
    embedding: 'transformer.wte',
    head: 'lm_head',
    tieWordEmbeddings: tied,
    defaultTargets: { lora: ['c_attn'], ia3: ['c_attn', 'mlp.c_proj'], ia3FeedForward: ['mlp.c_proj'] },
    embed,
    layer,
    finalNorm: (pass, x) => normalize(pass, x, 'transformer.ln_f'),
  };
}
