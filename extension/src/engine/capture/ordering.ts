// Ordering of parts of a step that have no data dependency. TensorFlow's executor starts every node as soon as its
// inputs are ready, so work that should wait (the next chunk of logits, recomputation in the backward pass) needs a
// control dependency; otherwise all of it runs at once and no memory is saved. Eager code runs in order anyway.
import type * as tf from '@tensorflow/tfjs-core';

/** Set by the tracing backend while it records. */
export interface OrderRecorder {
  after<T>(tensor: tf.Tensor, f: () => T): T;
}

let recorder: OrderRecorder | null = null;

export function setOrderRecorder(next: OrderRecorder | null): void {
  recorder = next;
}

/** Runs `f`; in a captured step, none of its ops starts before `tensor` is computed. */
export function after<T>(tensor: tf.Tensor, f: () => T): T {
  return recorder ? recorder.after(tensor, f) : f();
}
