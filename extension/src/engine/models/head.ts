// The plain output head, without a hook of a PEFT method: the form in which it is multiplied by many rows, and its two
// products. Called by CausalLm.logits and by the loss that is fused with the head (training/crossEntropy.ts).
import * as tf from '@tensorflow/tfjs-core';
import { linear, pieceProduct } from './ops.js';
import { PartedWeight } from './partedWeight.js';
import { denseOf, type Weight } from './quantizedWeight.js';

/** A head W [vocab, hidden] ready for products. */
export type PlainHead = tf.Tensor2D | PartedWeight;

/**
 * Up to this many rows, a quantized head is dequantized piece by piece in each product. With more, that takes
 * noticeable time, and a dense head is small next to their activations.
 */
const PIECED_ROWS = 2048;

/** The head for products with `rows` states; in a captured step, a dense copy is made only after `before`. */
export function plainHead(head: Weight, rows: number, before: tf.Tensor): PlainHead {
  const inPieces = rows <= PIECED_ROWS;
  return head instanceof PartedWeight && (head.direct || head.isTooLarge || (inPieces && !head.transposed))
    ? head
    : denseOf<tf.Tensor2D>(head, before);
}

/** x Wᵀ with `transposed`, else x W. A quantized head isn't rounded any further. */
export function headProduct(x: tf.Tensor2D, head: PlainHead, transposed: boolean): tf.Tensor2D {
  if (!(head instanceof PartedWeight)) return transposed ? linear(x, head) : tf.matMul(x, head);
  return head.direct ? head.roundedProduct(x, transposed) : pieceProduct(x, head, transposed);
}
