// Softmax cross entropy of rows of logits with one label each, and its gradient, without keeping the probabilities. The sum of exponents
// is computed online, in one pass (Milakov and Gimelshein 2018, "Online normalizer calculation for softmax", arXiv:1805.02867).
import type * as tf from '@tensorflow/tfjs-core';
import { bindingsOf, dispatch, emptied, output, u32, type Shader } from '../shader.js';
import { register } from './register.js';
import { reduction, rowInvocations, rowMain, workgroupsForRows } from './rows.js';

export const CROSS_ENTROPY = 'CrossEntropy';
export const CROSS_ENTROPY_GRADIENT = 'CrossEntropyGradient';

export interface CrossEntropyInputs {
  /** [rows, vocab] */
  logits: tf.Tensor;
  /** int32 [rows] */
  targets: tf.Tensor;
}

const shaderOf = (withGradient: boolean, invocations: number): Shader => ({
  key: `${withGradient ? CROSS_ENTROPY_GRADIENT : CROSS_ENTROPY} ${invocations}`,
  code: () => `${bindingsOf(
    { losses: 'f32', ...(withGradient && { gradient: 'f32' }) },
    { logits: 'f32', targets: 'i32' },
    ['rows: u32', 'vocab: u32'],
  )}
  // The highest logit and the sum of exponents relative to it, of two parts of a row.
  fn combine(a: vec2f, b: vec2f) -> vec2f {
    let highest = max(a.x, b.x);
    return vec2f(highest, a.y * exp(a.x - highest) + b.y * exp(b.x - highest));
  }
  ${reduction('combined', 'vec2f', invocations, 'combine(a, b)')}
  ${rowMain(invocations)}
    let start = row * params.vocab;
    // Lower than any logit of a model that isn't broken; NaN and infinity reach the loss.
    var part = vec2f(-3e38, 0.0);
    for (var column = local; column < params.vocab; column += ${invocations}u) {
      let logit = logits[start + column];
      if (logit <= part.x) { part.y += exp(logit - part.x); }
      else { part = vec2f(logit, part.y * exp(part.x - logit) + 1.0); }
    }
    let total = combined(part, local);
    let label = u32(targets[row]);
    if (local == 0u) { losses[row] = (total.x - logits[start + label]) + log(total.y); }
    ${
      withGradient
        ? `for (var column = local; column < params.vocab; column += ${invocations}u) {
      gradient[start + column] = exp(logits[start + column] - total.x) / total.y - select(0.0, 1.0, column == label);
    }`
        : ''
    }
  }`,
});

/** The losses [rows], and with the gradient the probabilities minus one at each row's label, [rows, vocab]. */
function crossEntropy({ logits, targets }: CrossEntropyInputs, withGradient: boolean): tf.TensorInfo[] {
  const [rows, vocab] = logits.shape as [number, number];
  const outputs = [output([rows]), ...(withGradient ? [output([rows, vocab])] : [])];
  if (rows === 0) return outputs.map(emptied);
  dispatch(shaderOf(withGradient, rowInvocations(vocab)), {
    outputs,
    inputs: [logits, targets],
    parameters: [u32(rows), u32(vocab)],
    workgroups: workgroupsForRows(rows),
  });
  return outputs;
}

export function registerCrossEntropy(): void {
  register<CrossEntropyInputs, object>(CROSS_ENTROPY, inputs => crossEntropy(inputs, false)[0]!);
  register<CrossEntropyInputs, object>(CROSS_ENTROPY_GRADIENT, inputs => crossEntropy(inputs, true));
}
