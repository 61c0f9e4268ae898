// What a decoder-only model is made of, before a single weight is read: its parameters, its linear modules, its forward
// pass. A family file (families/llama.ts, ...) builds one from config.json; PEFT methods plan against it, so that an
// estimate needs no weights. Names are those of Hugging Face's `named_parameters()` / `named_modules()`.
import type * as tf from '@tensorflow/tfjs-core';

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

/**
 * The forward pass as the family sees it: weights by name, with whatever a PEFT method does to them behind it. The same
 * object serves training, evaluation and decoding.
 */
export interface ForwardPass {
  readonly input: ModelInput;
  /** A parameter, or the trainable one that stands in for it. */
  parameter(name: string): tf.Tensor;
  /** y = x Wᵀ + b through the method's hooks; x [rows, in] -> [rows, out]. */
  linear(module: string, x: tf.Tensor2D): tf.Tensor2D;
  /** Token embeddings [rows, hidden], virtual tokens included. */
  embedTokens(module: string): tf.Tensor2D;
  /** Position of each token, moved on by what stands before the sequence; int32 [rows]. */
  readonly positions: tf.Tensor1D;
  /** Causal self-attention of one layer. q [batch, seq, heads, headDim], k and v [batch, seq, kvHeads, headDim] ->
   *  [rows, heads * headDim]. */
  attend(layer: number, q: tf.Tensor4D, k: tf.Tensor4D, v: tf.Tensor4D): tf.Tensor2D;
  /** What a sublayer adds to the residual stream, through the method's hooks; [rows, hidden]. */
  sublayer(layer: number, kind: SublayerKind, output: tf.Tensor2D): tf.Tensor2D;
  /** Rotary tables for `positions`, [batch, seq, 1, headDim]; null where the architecture has none. */
  readonly rotary: { cos: tf.Tensor4D; sin: tf.Tensor4D } | null;
}

export type SublayerKind = 'attention' | 'feed_forward';

/** Inverse frequencies of rotary embeddings, [headDim / 2], scaling included. */
export interface RotaryFrequencies {
  inverseFrequencies: Float64Array;
}

export interface Architecture {
  modelType: string;
  numLayers: number;
  hiddenSize: number;
  intermediateSize: number;
  numHeads: number;
  numKeyValueHeads: number;
  headDim: number;
  vocabSize: number;
  /** Longest sequence that the model was made for. */
  maxPositions: number;
  /** Tokens a position may look back; null without a sliding window. */
  slidingWindow: number | null;
  rotary: RotaryFrequencies | null;
  parameters: readonly ParameterSpec[];
  /** Every linear module, the head last. */
  linears: readonly LinearModule[];
  /** Name of the token embedding module. */
  embedding: string;
  /** Name of the output head module; its weight may be the embedding's. */
  head: string;
  tieWordEmbeddings: boolean;
  defaultTargets: DefaultTargets;
  /** What the first layer reads; [rows, hidden], rows = batch * seq, as all that follows. */
  embed(pass: ForwardPass): tf.Tensor2D;
  /**
   * One block; the same operations whatever its index, which estimates count on (estimate/fewLayers.ts). It may be run again
   * for the backward pass, and has to give the same.
   */
  layer(pass: ForwardPass, index: number, x: tf.Tensor2D): tf.Tensor2D;
  /** The norm behind the last block. */
  finalNorm(pass: ForwardPass, x: tf.Tensor2D): tf.Tensor2D;
}

/** One file a family, named after Hugging Face's `model_type`. */
export interface ModelFamily {
  modelType: string;
  /** Builds the architecture from config.json. Throws InputError naming the key. `where` is the file, for messages. */
  architecture(config: Record<string, unknown>, where: string): Architecture;
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
