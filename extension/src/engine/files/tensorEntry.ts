// A tensor on its way into a file, and its values as the bytes of its dtype.
// Called by the safetensors and GGUF writers and by whoever hands them tensors.
import { float32ToBfloat16, float32ToHalf } from './halfFloat.js';

export type FloatDtype = 'F32' | 'F16' | 'BF16';

export interface TensorEntry {
  name: string;
  /** Row-major, as Hugging Face has it. */
  shape: readonly number[];
  dtype: FloatDtype;
  /** Values, or a function that makes them when their turn has come. */
  data: Float32Array | (() => Float32Array);
}

const valueBytes: Record<FloatDtype, number> = { F32: 4, F16: 2, BF16: 2 };

/** A float32 tensor whose values a device holds, as tfjs has it. */
export interface DeviceTensor {
  readonly shape: readonly number[];
  data(): Promise<unknown>;
}

/** Bytes that the entry takes in a file. */
export function entryBytes({ shape, dtype }: Pick<TensorEntry, 'shape' | 'dtype'>): number {
  return valueCount(shape) * valueBytes[dtype];
}

/** The entry's values in its dtype. */
export function encodeEntry({ data, ...entry }: TensorEntry): NodeJS.ArrayBufferView {
  return encodeValues(entry, typeof data === 'function' ? data() : data);
}

/** Throws where the number of values is not what the shape says: that is our own fault. */
export function encodeValues(
  { name, shape, dtype }: Omit<TensorEntry, 'data'>,
  values: Float32Array,
): NodeJS.ArrayBufferView {
  if (values.length !== valueCount(shape)) {
    throw new Error(`tensor ${name} has ${values.length} values, its shape [${shape}] needs ${valueCount(shape)}`);
  }
  if (dtype === 'F32') return values;
  return dtype === 'F16' ? float32ToHalf(values) : float32ToBfloat16(values);
}

/** Product of the sizes; 1 for a scalar. */
export function valueCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
