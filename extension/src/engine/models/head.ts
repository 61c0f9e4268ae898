// The plain output head, one that no hook of a PEFT method changes: how it is held while it is multiplied by many rows, and
// its two products. Called by CausalLm.logits and by the loss that is fused with the head (training/crossEntropy.ts).
import * as tf from '@tensorflow/tfjs-core';
import { linear, pieceProduct } from './ops.js';
import { denseOf, QuantizedWeight, type Weight } from './quantizedWeight.js';

/** A head W [vocab, hidden] ready for products. */
export type PlainHead = tf.Tensor2D | QuantizedWeight;

/**
 * So many rows dequantize a head anew, a piece at a time; with more of them it would be a cost, and their activations
 * dwarf it.
 */
const PIECED_ROWS = 2048;

/** The head as `rows` states are multiplied by it; in a captured step one that is made dense waits for `before`. */
export function plainHead(head: Weight, rows: number, before: tf.Tensor): PlainHead {
  const inPieces = rows <= PIECED_ROWS;
  return head instanceof QuantizedWeight && (head.direct || (inPieces && !head.transposed))
    ? head
    : denseOf<tf.Tensor2D>(head, before);
}

/** x Wᵀ with `transposed`, else x W. A head in few bits isn't rounded any further. */
export function headProduct(x: tf.Tensor2D, head: PlainHead, transposed: boolean): tf.Tensor2D {
  if (!(head instanceof QuantizedWeight)) return transposed ? linear(x, head) : tf.matMul(x, head);
  return head.direct ? head.roundedProduct(x, transposed) : pieceProduct(x, head, transposed);
}
