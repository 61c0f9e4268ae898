// What a decoder-only model is made of, before a single weight is read: a description of its layers as data, and the
// parameters and linear modules that follow from it. A family file (families/llama.ts, ...) makes the description out of
// config.json, `architectureOf` the rest; block.ts runs it. PEFT methods plan against it, so that an estimate needs no
// weights. Names are those of Hugging Face's `named_parameters()` / `named_modules()`.
import type * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../core/inputError.js';

export interface ParameterSpec {
  name: string;
  /** As stored by Hugging Face: linear [out, in], Conv1D [in, out], embedding [vocab, hidden]. */
  shape: readonly number[];
  kind: 'linear' | 'embedding' | 'norm';
  /** Index of the block that it belongs to; null for embeddings, final norm and head. */
  layer: number | null;
}

export interface LinearModule {
  /** Such as `model.layers.0.self_attn.q_proj`; its parameters are `${name}.weight` and `${name}.bias`. */
  name: string;
  inFeatures: number;
  outFeatures: number;
  hasBias: boolean;
  /** GPT-2's Conv1D keeps its weight as [in, out] (PEFT: fan_in_fan_out). */
  conv1d: boolean;
  layer: number | null;
}

/** Default targets of PEFT for a `model_type`. */
export interface DefaultTargets {
  lora: readonly string[];
  ia3: readonly string[];
  ia3FeedForward: readonly string[];
}

/** Tokens of one forward pass, int32, all [batch, seq]. */
export interface ModelInput {
  inputIds: tf.Tensor2D;
  positionIds: tf.Tensor2D;
  /** 0 on padding; tokens see the earlier tokens of their own segment only. */
  segmentIds: tf.Tensor2D;
}

/** Keys and values of one layer, each [batch, kvHeads, length, headDim], already rotated. */
export interface KeyValues {
  keys: tf.Tensor4D;
  values: tf.Tensor4D;
}

export type SublayerKind = 'attention' | 'feed_forward';

/** Inverse frequencies of rotary embeddings, [headDim / 2], scaling included. */
export interface RotaryFrequencies {
  inverseFrequencies: Float64Array;
}

/** A linear module of a layer. Names in a layer's data are those within the block, such as `self_attn.q_proj`. */
export interface LinearSpec {
  name: string;
  hasBias: boolean;
  conv1d: boolean;
}

/** RMSNorm has a weight, LayerNorm a bias too. */
export interface NormSpec {
  kind: 'rms' | 'layer';
  name: string;
  epsilon: number;
}

/** Causal self-attention. */
export interface AttentionSpec {
  heads: number;
  /** Each is shared by heads / keyValueHeads query heads. */
  keyValueHeads: number;
  headDim: number;
  /** Tokens that a position sees, its own included; null without a sliding window. */
  window: number | null;
  /** How queries and keys are rotated; layers that do it alike share the object. null: not at all. */
  rotary: RotaryFrequencies | null;
  /** Queries, keys and values: a module each, or one that gives them side by side. */
  projections: readonly [queries: LinearSpec, keys: LinearSpec, values: LinearSpec] | readonly [fused: LinearSpec];
  /** Norms over each query and each key head, before they are rotated. */
  headNorms: { queries: NormSpec; keys: NormSpec } | null;
  output: LinearSpec;
}

/** The feed-forward part: down(silu(gate(x)) * up(x)) or down(gelu_new(up(x))). */
export type MlpSpec = { width: number; up: LinearSpec; down: LinearSpec } & (
  { kind: 'swiglu'; gate: LinearSpec } | { kind: 'gelu_new' }
);

/** One block: each of its two parts reads the normed residual stream and adds to it. Layers with equal data are alike. */
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
  /** Longest sequence that the model was made for; `usablePositions` says how long one may be here. */
  maxPositions: number;
  /** Name of the token embedding module. */
  embedding: string;
  /** Name of the module of learned positions, [maxPositions, hidden]; null without. */
  positionEmbedding: string | null;
  /** Name of the blocks: layer 3 is `${blocks}.3`. */
  blocks: string;
  layers: readonly LayerSpec[];
  /** The norm behind the last block, by its whole name. */
  finalNorm: NormSpec;
  /** Name of the output head module; its weight may be the embedding's. */
  head: string;
  tieWordEmbeddings: boolean;
  defaultTargets: DefaultTargets;
}

export interface Architecture extends ModelDescription {
  parameters: readonly ParameterSpec[];
  /** Every linear module, the head last. */
  linears: readonly LinearModule[];
}

/** One file a family, named after Hugging Face's `model_type`. */
export interface ModelFamily {
  modelType: string;
  /** Describes the model of a config.json. Throws InputError naming the key. `file` is for messages. */
  describe(config: Record<string, unknown>, file: string): ModelDescription;
}

/**
 * Heads of keys and values, for what gives or keeps those of all layers in one tensor.
 * @param what needs it, for the message
 * @throws InputError where layers differ in them
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
  if (other > 0) throw new InputError(`layers 0 and ${other} differ in their heads of keys and values`, { key: what });
  return { keyValueHeads, headDim };
}

/** The parameter that holds a name's values: the token embedding for the head's, where the two are tied. */
export function storedName({ head, embedding, tieWordEmbeddings }: Architecture, name: string): string {
  return tieWordEmbeddings && name === `${head}.weight` ? `${embedding}.weight` : name;
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

export function countParameters(architecture: Architecture): number {
  return architecture.parameters.reduce((sum, parameter) => sum + sizeOf(parameter.shape), 0);
}
