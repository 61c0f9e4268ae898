// A tfjs backend that computes nothing: its kernels only work out the shape of a result and count the bytes it would
// take. The training step runs on it as it is, so an estimate can't drift from the code it speaks of. Called by
// traceEager.ts; its tensors must never meet those of another backend.
import * as tf from '@tensorflow/tfjs-core';
import { BLOCK_PRODUCT, DEQUANTIZE_BLOCKS } from '../capture/blockKernels.js';
import { requireFromTfjsNode } from '../install/tfjsNodePackage.js';

const NAME = 'shapes';

/** Memory that several tensors may look at: TensorFlow's reshape copies nothing. */
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
  /** Bytes that the other kernels have made so far. */
  written = 0;

  /** A tensor of this shape, with memory of its own or looking at that of `view`. */
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

  /** Ones: a loss and a gradient norm that are finite, so that no part of the step is left out. */
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

type Attributes = Record<string, any>;
type Result = { shape: readonly number[]; dtype?: tf.DataType; view?: boolean };
/** Shape of a kernel's result; its type is that of the first input where nothing else is said. */
type Inference = (inputs: tf.TensorInfo[], attributes: Attributes) => Result | Result[];

const sameShape: Inference = ([x]) => ({ shape: x!.shape });
const broadcast: Inference = ([a, b]) => ({ shape: tf.backend_util.assertAndGetBroadcastShape(a!.shape, b!.shape) });
const compare: Inference = (inputs, attributes) => ({ ...(broadcast(inputs, attributes) as Result), dtype: 'bool' });

const reduce: Inference = ([x], { axis, reductionIndices, keepDims }) => {
  const axes = tf.util.parseAxisParam(axis ?? reductionIndices, x!.shape);
  const [kept] = tf.backend_util.computeOutAndReduceShapes(x!.shape, axes);
  return { shape: keepDims ? tf.backend_util.expandShapeToKeepDim(kept, axes) : kept };
};

const matMul: Inference = ([a, b], { transposeA, transposeB }) => {
  const rows = a!.shape.at(transposeA ? -1 : -2)!;
  const columns = b!.shape.at(transposeB ? -2 : -1)!;
  const batch = tf.backend_util.assertAndGetBroadcastShape(a!.shape.slice(0, -2), b!.shape.slice(0, -2));
  return { shape: [...batch, rows, columns] };
};

/** 2 m n k over the batch. */
function productFlops({ shape }: Result, a: tf.TensorInfo, { transposeA }: Attributes): number {
  return 2 * tf.util.sizeFromShape([...shape]) * a.shape.at(transposeA ? -2 : -1)!;
}

const without = (shape: readonly number[], axis: number) => shape.filter((_, i) => i !== axis);
const group = (names: readonly string[], inference: Inference) => names.map(name => [name, inference] as const);

/** The kernels that models, methods and training use; a test runs every method of every family through them. */
const inferences: ReadonlyMap<string, Inference> = new Map<string, Inference>([
  ...group([tf.Neg, tf.Abs, tf.Sign, tf.Step, tf.Square, tf.Sqrt, tf.Rsqrt, tf.Exp, tf.Log], sameShape),
  ...group([tf.Sigmoid, tf.Tanh, tf.Relu, tf.Softmax, tf.ZerosLike, tf.OnesLike, tf.LogicalNot], sameShape),
  ...group([tf.Add, tf.Sub, tf.Multiply, tf.RealDiv, tf.FloorDiv, tf.Pow, tf.Maximum, tf.Minimum], broadcast),
  ...group([tf.Equal, tf.NotEqual, tf.Less, tf.LessEqual, tf.Greater, tf.GreaterEqual], compare),
  ...group([tf.LogicalAnd, tf.LogicalOr], compare),
  ...group([tf.Sum, tf.Mean, tf.Max, tf.Min], reduce),
  [tf.ArgMax, ([x], { axis }) => ({ shape: without(x!.shape, axis), dtype: 'int32' })],
  [tf.AddN, sameShape],
  [tf.Select, ([, value]) => ({ shape: value!.shape, dtype: value!.dtype })],
  [tf.BatchMatMul, matMul],
  [tf.Transpose, ([x], { perm }) => ({ shape: (perm as number[]).map(axis => x!.shape[axis]!) })],
  [
    tf.Reshape,
    ([x], { shape }) => ({ shape: tf.util.inferFromImplicitShape(shape, tf.util.sizeFromShape(x!.shape)), view: true }),
  ],
  [
    tf.ExpandDims,
    ([x], { dim }) => ({ shape: x!.shape.toSpliced(dim < 0 ? x!.shape.length + dim + 1 : dim, 0, 1), view: true }),
  ],
  [tf.Identity, ([x]) => ({ shape: x!.shape, view: true })],
  [tf.Cast, ([x], { dtype }) => ({ shape: x!.shape, dtype, view: dtype === x!.dtype })],
  [tf.Slice, ([x], { begin, size }) => ({ shape: tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size)[1]! })],
  [
    tf.Concat,
    (parts, { axis }) => ({
      shape: tf.backend_util.computeOutShape(
        parts.map(part => part.shape),
        tf.util.parseAxisParam(axis, parts[0]!.shape)[0]!,
      ),
    }),
  ],
  [tf.PadV2, ([x], { paddings }) => ({ shape: x!.shape.map((size, i) => size + paddings[i][0] + paddings[i][1]) })],
  [tf.Pack, (parts, { axis }) => ({ shape: parts[0]!.shape.toSpliced(axis, 0, parts.length) })],
  [tf.Unpack, ([x], { axis }) => Array.from({ length: x!.shape[axis]! }, () => ({ shape: without(x!.shape, axis) }))],
  [
    tf.SplitV,
    ([x], { numOrSizeSplits, axis }) => {
      const at = tf.util.parseAxisParam(axis, x!.shape)[0]!;
      const sizes = tf.backend_util.prepareSplitSize(x as tf.Tensor, numOrSizeSplits, at);
      return sizes.map(size => ({ shape: x!.shape.with(at, size) }));
    },
  ],
  [tf.Tile, ([x], { reps }) => ({ shape: x!.shape.map((size, i) => size * reps[i]) })],
  [tf.GatherV2, ([x, indices], { axis }) => ({ shape: x!.shape.toSpliced(axis, 1, ...indices!.shape) })],
  [tf.ScatterNd, ([, updates], { shape }) => ({ shape, dtype: updates!.dtype })],
  [
    BLOCK_PRODUCT,
    ([x, codes], { columns, turned }) => ({ shape: [x!.shape[0]!, turned ? codes!.shape[0]! : columns] }),
  ],
  [DEQUANTIZE_BLOCKS, ([codes], { columns }) => ({ shape: [codes!.shape[0]!, columns], dtype: 'float32' })],
  [tf.OneHot, ([indices], { depth, dtype }) => ({ shape: [...indices!.shape, depth], dtype })],
  [tf.Range, (_inputs, { start, stop, step, dtype }) => ({ shape: [Math.ceil((stop - start) / step)], dtype })],
  [tf.Fill, (_inputs, { shape, dtype }) => ({ shape, dtype })],
]);

let backend: ShapeBackend | null = null;

function register(): ShapeBackend {
  // tfjs-core's bundle for Node registers no gradients; loading the union package does.
  requireFromTfjsNode('@tensorflow/tfjs');
  const made = new ShapeBackend();
  tf.registerBackend(NAME, () => made);
  for (const [kernelName, infer] of inferences) {
    const kernelFunc: tf.KernelFunc = ({ inputs, attrs }) => {
      const given = Object.values(inputs) as tf.TensorInfo[];
      const result = infer(given, attrs ?? {});
      if (kernelName === tf.BatchMatMul || kernelName === BLOCK_PRODUCT)
        made.flops += productFlops(result as Result, given[0]!, attrs!);
      else for (const one of [result].flat()) if (!one.view) made.written += 4 * tf.util.sizeFromShape([...one.shape]);
      const make = ({ shape, dtype, view }: Result) =>
        made.make(shape, dtype ?? given[0]!.dtype, view ? given[0] : undefined);
      return Array.isArray(result) ? result.map(make) : make(result);
    };
    tf.registerKernel({ kernelName, backendName: NAME, kernelFunc });
  }
  return made;
}

/** Bytes of the tensors there are, as far as they were made inside `countBytes`, and what they took to compute. */
export interface ByteCounter {
  readonly liveBytes: number;
  readonly peakBytes: number;
  readonly flops: number;
  readonly written: number;
}

/** Runs `f` on the backend of shapes and goes back to the one that was in use. */
export function countBytes<T>(f: (counter: ByteCounter) => T): T {
  backend ??= register();
  const previous = tf.getBackend();
  backend.peakBytes = backend.liveBytes;
  // With a backend that is made synchronously this is done when it returns.
  void tf.setBackend(NAME);
  try {
    return f(backend);
  } finally {
    if (previous) void tf.setBackend(previous);
  }
}
