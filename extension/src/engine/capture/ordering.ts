// Order between parts of a step that don't depend on each other by data. TensorFlow's executor starts every node as soon as
// its inputs are there, so work that should wait (the next chunk of logits, a recomputation in the backward pass) needs a
// control dependency, or all of it runs at once and the memory saved is gone. Eagerly, code runs in order anyway.
import type * as tf from '@tensorflow/tfjs-core';

/** Set by the tracing backend while it records. */
export interface OrderRecorder {
  after<T>(tensor: tf.Tensor, f: () => T): T;
}

let recorder: OrderRecorder | null = null;

export function setOrderRecorder(next: OrderRecorder | null): void {
  recorder = next;
}

/** Runs `f`; in a captured step nothing of it starts before `tensor` is computed. */
export function after<T>(tensor: tf.Tensor, f: () => T): T {
  return recorder ? recorder.after(tensor, f) : f();
}
