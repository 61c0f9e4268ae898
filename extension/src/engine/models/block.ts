// The forward pass of a decoder, written once for all families and driven by their data: embeddings, a block, the final
// norm. Called by causalLm.ts, which provides weights, attention and the hooks of a PEFT method as a `ForwardPass`.
import * as tf from '@tensorflow/tfjs-core';
import type {
  Architecture,
  AttentionSpec,
  MlpSpec,
  ModelInput,
  NormSpec,
  RotaryFrequencies,
  SublayerKind,
} from './architecture.js';
import { activate, activateGated } from './activations.js';
import { gatherRows, layerNorm, rmsNorm, rotate } from './ops.js';

/** cos and sin at the tokens' positions, [batch, seq, 1, headDim], equal in both halves of the last dimension. */
export interface Rotation {
  cos: tf.Tensor4D;
  sin: tf.Tensor4D;
}

/** An open forward pass: weights by name, with the PEFT method's changes applied. */
export interface ForwardPass {
  readonly input: ModelInput;
  /** A parameter, or the trainable tensor that replaces it. */
  parameter(name: string): tf.Tensor;
  /** y = x Wᵀ + b through the method's hooks; x [rows, in] -> [rows, out]. */
  linear(module: string, x: tf.Tensor2D): tf.Tensor2D;
  /** Token embeddings [rows, hidden], virtual tokens included. */
  embedTokens(module: string): tf.Tensor2D;
  /** Position of each token, shifted by the prefix; int32 [rows]. */
  readonly positions: tf.Tensor1D;
  rotation(frequencies: RotaryFrequencies): Rotation;
  /**
   * Causal self-attention of one layer. q [batch, seq, heads, headDim], k and v [batch, seq, keyValueHeads, headDim] ->
   * [rows, heads * headDim].
   */
  attend(layer: number, q: tf.Tensor4D, k: tf.Tensor4D, v: tf.Tensor4D): tf.Tensor2D;
  /** What a sublayer adds to the residual stream, through the method's hooks; [rows, hidden]. */
  sublayer(layer: number, kind: SublayerKind, output: tf.Tensor2D): tf.Tensor2D;
}

/** The first layer's input; [rows, hidden], rows = batch * seq, like all later hidden states. */
export function embed(pass: ForwardPass, { embedding, positionEmbedding }: Architecture): tf.Tensor2D {
  if (!positionEmbedding) return pass.embedTokens(embedding);
  const positions = gatherRows(pass.parameter(`${positionEmbedding}.weight`) as tf.Tensor2D, pass.positions);
  return tf.add(pass.embedTokens(embedding), positions);
}

/** One block. It may run again for the backward pass and must give the same result. */
export function runBlock(pass: ForwardPass, { blocks, layers }: Architecture, i: number, x: tf.Tensor2D): tf.Tensor2D {
  const { attentionNorm, attention, mlpNorm, mlp } = layers[i]!;
  const block = `${blocks}.${i}.`;
  const attended = attend(pass, attention, block, i, normalize(pass, attentionNorm, x, block));
  const h = tf.add(x, pass.sublayer(i, 'attention', attended)) as tf.Tensor2D;
  const fed = feedForward(pass, mlp, block, normalize(pass, mlpNorm, h, block));
  return tf.add(h, pass.sublayer(i, 'feed_forward', fed));
}

/** @param block prefix of the norm's name, with a dot; empty for the final norm */
export function normalize<T extends tf.Tensor>(pass: ForwardPass, spec: NormSpec, x: T, block = ''): T {
  const { kind, name, epsilon } = spec;
  const weight = pass.parameter(`${block}${name}.weight`);
  return kind === 'rms'
    ? rmsNorm(x, weight, epsilon)
    : layerNorm(x, weight, pass.parameter(`${block}${name}.bias`), epsilon);
}

function attend(pass: ForwardPass, spec: AttentionSpec, block: string, i: number, x: tf.Tensor2D): tf.Tensor2D {
  const { heads, keyValueHeads, headDim, rotary, projections, headNorms, output } = spec;
  const [batch, seq] = pass.input.inputIds.shape;
  const split = (x: tf.Tensor, count: number) => tf.reshape(x, [batch, seq, count, headDim]) as tf.Tensor4D;
  const counts = [heads, keyValueHeads, keyValueHeads];
  const projected = projections.map(({ name }) => pass.linear(`${block}${name}`, x));
  const widths = counts.map(count => count * headDim);
  const parts = projected.length === 1 ? tf.split(projected[0]!, widths, 1) : projected;
  let [q, k, v] = parts.map((part, at) => split(part, counts[at]!)) as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
  if (headNorms) {
    q = normalize(pass, headNorms.queries, q, block);
    k = normalize(pass, headNorms.keys, k, block);
  }
  if (rotary) {
    const rotation = pass.rotation(rotary);
    q = rotate(q, rotation);
    k = rotate(k, rotation);
  }
  return pass.linear(`${block}${output.name}`, pass.attend(i, q, k, v));
}

function feedForward(pass: ForwardPass, mlp: MlpSpec, block: string, x: tf.Tensor2D): tf.Tensor2D {
  const linear = ({ name }: { name: string }, x: tf.Tensor2D) => pass.linear(`${block}${name}`, x);
  const { activation, gate, up, down } = mlp;
  const wide = gate ? activateGated(activation, linear(gate, x), linear(up, x)) : activate(activation, linear(up, x));
  return linear(down, wide);
}
