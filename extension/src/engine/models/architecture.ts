// The structure of a decoder-only model, before any weight is read: a description of its layers as data, and the
// parameters and linear modules that follow from it. A family file (families/llama.ts, ...) makes the description from
// config.json, `architectureOf` adds the rest; block.ts runs it. PEFT methods plan against it, so that an estimate
// needs no weights. Names are those of PyTorch's `named_parameters()` / `named_modules()` for the Transformers model.
import type * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../core/inputError.js';
import type { ActivationName } from './activations.js';
import type { ConfigKeys } from './configKeys.js';

export interface ParameterSpec {
  name: string;
  /** As stored by Transformers: linear [out, in], Conv1D [in, out], embedding [vocab, hidden]. */
  shape: readonly number[];
  kind: 'linear' | 'embedding' | 'norm';
  /** Index of its block; null for embeddings, final norm and head. */
  layer: number | null;
}

export interface LinearModule {
  /** For example `model.layers.0.self_attn.q_proj`; its parameters are `${name}.weight` and `${name}.bias`. */
  name: string;
  inFeatures: number;
  outFeatures: number;
  hasBias: boolean;
  /** GPT-2's Conv1D stores its weight as [in, out] (PEFT: fan_in_fan_out). */
  conv1d: boolean;
  layer: number | null;
}

/** PEFT's default target modules for a `model_type`. */
export interface DefaultTargets {
  lora: readonly string[];
  ia3: readonly string[];
  ia3FeedForward: readonly string[];
}

/** The tokens of a forward pass, int32, all [batch, seq]. */
export interface ModelInput {
  inputIds: tf.Tensor2D;
  positionIds: tf.Tensor2D;
  /** 0 for padding; tokens attend only to earlier tokens of their own segment. */
  segmentIds: tf.Tensor2D;
}

/** Keys and values of one layer, each [batch, kvHeads, length, headDim], already rotated. */
export interface KeyValues {
  keys: tf.Tensor4D;
  values: tf.Tensor4D;
}

export type SublayerKind = 'attention' | 'feed_forward';

/** A rotary embedding, scaling included. */
export interface RotaryFrequencies {
  /** [headDim / 2] */
  inverseFrequencies: Float64Array;
  /** Factor on cos and sin (YaRN's and LongRoPE's attention factor). */
  scale: number;
  /** Longest sequence for which these frequencies are right; null if config.json has the only limit. */
  maxPositions: number | null;
}

/** A linear module of a layer. Names in a layer's data are relative to the block, such as `self_attn.q_proj`. */
export interface LinearSpec {
  name: string;
  hasBias: boolean;
  conv1d: boolean;
}

/** RMSNorm has a weight, LayerNorm a weight and a bias. */
export interface NormSpec {
  kind: 'rms' | 'layer';
  name: string;
  epsilon: number;
}

/** Causal self-attention. */
export interface AttentionSpec {
  heads: number;
  /** Each is shared by heads / keyValueHeads query heads (grouped-query attention). */
  keyValueHeads: number;
  headDim: number;
  /** Factor on the scores q kᵀ. */
  scale: number;
  /** Tokens that a position attends to, its own included; null without a sliding window. */
  window: number | null;
  /** Rotary embedding of queries and keys; layers with the same one share the object. null: none. */
  rotary: RotaryFrequencies | null;
  /** Query, key and value projections: a module each, or one that gives all three concatenated. */
  projections: readonly [queries: LinearSpec, keys: LinearSpec, values: LinearSpec] | readonly [fused: LinearSpec];
  /** Norms of each query and each key head, before the rotary embedding. */
  headNorms: { queries: NormSpec; keys: NormSpec } | null;
  output: LinearSpec;
}

/** The feed-forward network: down(activation(gate(x)) * up(x)), or down(activation(up(x))) without a gate. */
export interface MlpSpec {
  width: number;
  activation: ActivationName;
  gate: LinearSpec | null;
  up: LinearSpec;
  down: LinearSpec;
}

/**
 * One block: each of its two sublayers reads the normalized residual stream and adds to it. Equal data means equal
 * layers.
 */
export interface LayerSpec {
  attentionNorm: NormSpec;
  attention: AttentionSpec;
  mlpNorm: NormSpec;
  mlp: MlpSpec;
}

/** A model as its family describes it. */
export interface ModelDescription {
  modelType: string;
  hiddenSize: number;
  vocabSize: number;
  /** Longest sequence according to config.json; `usablePositions` is the limit that applies here. */
  maxPositions: number;
  /** Name of the token embedding module. */
  embedding: string;
  /** Name of the learned position embedding module, [maxPositions, hidden]; null if there is none. */
  positionEmbedding: string | null;
  /** Name prefix of the blocks: layer 3 is `${blocks}.3`. */
  blocks: string;
  layers: readonly LayerSpec[];
  /** The norm after the last block, by its full name. */
  finalNorm: NormSpec;
  /** Name of the output head module; its weight may be the embedding's. */
  head: string;
  tieWordEmbeddings: boolean;
  defaultTargets: DefaultTargets;
}

export interface Architecture extends ModelDescription {
  parameters: readonly ParameterSpec[];
  /** All linear modules, the head last. */
  linears: readonly LinearModule[];
}

/** A model family, in a file named after Transformers' `model_type`. */
export interface ModelFamily {
  modelType: string;
  /** Its language model in Transformers, in config.json's `architectures`. */
  causalLm: string;
  keys: ConfigKeys;
  /** Describes the model of a config.json; `file` is for messages. @throws InputError that names the key */
  describe(config: Record<string, unknown>, file: string): ModelDescription;
}

/**
 * The key and value heads of every layer, for code that holds those of all layers in one tensor.
 * @param what needs it, for the message
 * @throws InputError if layers have different ones
 */
export function keyValueHeadsOfAll(
  { layers }: Architecture,
  what: string,
): Pick<AttentionSpec, 'keyValueHeads' | 'headDim'> {
  const [{ attention: first }] = layers as readonly [LayerSpec];
  const { keyValueHeads, headDim } = first;
  const other = layers.findIndex(
    ({ attention }) => attention.keyValueHeads !== keyValueHeads || attention.headDim !== headDim,
  );
  if (other > 0) throw new InputError(`layers 0 and ${other} have different key and value heads`, { key: what });
  return { keyValueHeads, headDim };
}

/** Bytes of one token's keys and values in all layers, in float32. */
export function keyValueBytes({ layers }: Architecture): number {
  const values = layers.map(({ attention: { keyValueHeads, headDim } }) => 2 * keyValueHeads * headDim);
  return Float32Array.BYTES_PER_ELEMENT * values.reduce((sum, each) => sum + each, 0);
}

/** The name under which a parameter is stored: the token embedding's for a tied head. */
export function storedName({ head, embedding, tieWordEmbeddings }: Architecture, name: string): string {
  return tieWordEmbeddings && name === `${head}.weight` ? `${embedding}.weight` : name;
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

export function countParameters(architecture: Architecture): number {
  return architecture.parameters.reduce((sum, parameter) => sum + sizeOf(parameter.shape), 0);
}
