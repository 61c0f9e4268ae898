// A tfjs backend that computes nothing: its kernels only determine the shape of a result and count its bytes. The
// training step runs on it unchanged, so an estimate can't drift from the code that it describes. Called by
// traceEager.ts; its tensors must never be mixed with those of another backend.
import * as tf from '@tensorflow/tfjs-core';
import { typeName, typeNumber } from '../capture/graph.js';
import { fillsMemory, productFlops, resultsOf, rowOf } from '../capture/opTable.js';
import type { AbstractTensor } from '../capture/shapeRules.js';
import { requireFromTfjsNode } from '../install/tfjsNodePackage.js';
import { kernelOps } from './kernelOps.js';

const NAME = 'shapes';

/** Memory that several tensors may share: TensorFlow's reshape copies nothing. */
interface Buffer {
  bytes: number;
  views: number;
}

interface Entry {
  buffer: Buffer;
  length: number;
  dtype: tf.DataType;
  refs: number;
}

class ShapeBackend extends tf.KernelBackend {
  private readonly entries = new Map<tf.DataId, Entry>();
  liveBytes = 0;
  peakBytes = 0;
  /** Floating point operations of the matrix products so far. */
  flops = 0;
  /** Bytes that the other kernels have written so far. */
  written = 0;

  /** A tensor of this shape, with new memory or sharing that of `view`. */
  make(shape: readonly number[], dtype: tf.DataType, view?: tf.TensorInfo): tf.TensorInfo {
    const length = tf.util.sizeFromShape([...shape]);
    const buffer = view
      ? this.entries.get(view.dataId)!.buffer
      : { bytes: length * tf.util.bytesPerElement(dtype), views: 0 };
    if (buffer.views++ === 0) this.liveBytes += buffer.bytes;
    this.peakBytes = Math.max(this.peakBytes, this.liveBytes);
    const dataId = {};
    this.entries.set(dataId, { buffer, length, dtype, refs: 1 });
    return { dataId, shape: [...shape], dtype };
  }

  override write(_values: tf.BackendValues, shape: number[], dtype: tf.DataType): tf.DataId {
    return this.make(shape, dtype).dataId;
  }

  override incRef(dataId: tf.DataId): void {
    this.entries.get(dataId)!.refs++;
  }

  override refCount(dataId: tf.DataId): number {
    return this.entries.get(dataId)?.refs ?? 0;
  }

  override disposeData(dataId: tf.DataId, force = false): boolean {
    const entry = this.entries.get(dataId);
    if (!entry) return true;
    if (--entry.refs > 0 && !force) return false;
    if (--entry.buffer.views === 0) this.liveBytes -= entry.buffer.bytes;
    this.entries.delete(dataId);
    return true;
  }

  /** Ones: loss and gradient norm are finite, so that no part of the step is skipped. */
  override readSync(dataId: tf.DataId): tf.BackendValues {
    const { length, dtype } = this.entries.get(dataId)!;
    return (dtype === 'float32' ? new Float32Array(length) : new Int32Array(length)).fill(1);
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: false };
  }

  override numDataIds(): number {
    return this.entries.size;
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override timerAvailable(): boolean {
    return false;
  }

  override dispose(): void {}
}

let backend: ShapeBackend | null = null;

function register(): ShapeBackend {
  // tfjs-core's bundle for Node registers no gradients; loading the union package does.
  requireFromTfjsNode('@tensorflow/tfjs');
  const made = new ShapeBackend();
  tf.registerBackend(NAME, () => made);
  for (const [kernelName, callOf] of kernelOps) {
    const kernelFunc: tf.KernelFunc = ({ inputs, attrs }) => {
      const given = Object.values(inputs) as tf.TensorInfo[];
      const { op, inputs: described, attributes } = callOf(given.map(describe), attrs ?? {});
      const results = resultsOf(op, described, attributes);
      const { product } = rowOf(op);
      const view = fillsMemory({ op, attributes }) ? undefined : given[0];
      if (product) made.flops += productFlops(product, attributes, described[0]!, results[0]!);
      else if (!view) for (const { shape } of results) made.written += 4 * tf.util.sizeFromShape(shape);
      const tensors = results.map(({ shape, dtype }) => made.make(shape, typeName(dtype), view));
      return kernelName === tf.Unpack || kernelName === tf.SplitV ? tensors : tensors[0]!;
    };
    tf.registerKernel({ kernelName, backendName: NAME, kernelFunc });
  }
  return made;
}

function describe({ shape, dtype }: tf.TensorInfo): AbstractTensor {
  return { shape, dtype: typeNumber(dtype) };
}

/** Bytes of the existing tensors that were created in `countBytes`, and the work of computing them. */
export interface ByteCounter {
  readonly liveBytes: number;
  readonly peakBytes: number;
  readonly flops: number;
  readonly written: number;
}

/** Runs `f` on the shape backend and restores the previous one. */
export function countBytes<T>(f: (counter: ByteCounter) => T): T {
  backend ??= register();
  const previous = tf.getBackend();
  backend.peakBytes = backend.liveBytes;
  // The backend is created synchronously, so this has taken effect when it returns.
  void tf.setBackend(NAME);
  try {
    return f(backend);
  } finally {
    if (previous) void tf.setBackend(previous);
  }
}
