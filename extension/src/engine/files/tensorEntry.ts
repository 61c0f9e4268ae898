// A tensor to be written to a file, and the encoding of its values. Used by the safetensors and GGUF writers and their callers.
import { float32ToBfloat16, float32ToHalf } from './halfFloat.js';

export type FloatDtype = 'F32' | 'F16' | 'BF16';

export interface TensorEntry {
  name: string;
  /** Row-major, as in Hugging Face. */
  shape: readonly number[];
  dtype: FloatDtype;
  /** Values, or a function that creates them when they are written. */
  data: Float32Array | (() => Float32Array);
}

const VALUE_BYTES: Record<FloatDtype, number> = { F32: 4, F16: 2, BF16: 2 };

/** A float32 tensor whose values are elsewhere: on a device, as those of a tfjs tensor, or in consecutive pieces in a file. */
export type DeviceTensor = { readonly shape: readonly number[] } & (
  { data(): Promise<unknown> } | { pieces(): AsyncIterable<Float32Array> }
);

/** Bytes of the entry in a file. */
export function entryBytes({ shape, dtype }: Pick<TensorEntry, 'shape' | 'dtype'>): number {
  return valueCount(shape) * VALUE_BYTES[dtype];
}

/** Encodes the entry's values in its dtype. */
export function encodeEntry({ data, ...entry }: TensorEntry): NodeJS.ArrayBufferView {
  return encodeValues(entry, typeof data === 'function' ? data() : data);
}

/** @throws Error if the number of values doesn't match the shape, which is a bug */
export function encodeValues(
  { name, shape, dtype }: Omit<TensorEntry, 'data'>,
  values: Float32Array,
): NodeJS.ArrayBufferView {
  checkCount({ name, shape }, values.length);
  if (dtype === 'F32') return values;
  return dtype === 'F16' ? float32ToHalf(values) : float32ToBfloat16(values);
}

/** @throws Error if the number of values doesn't match the shape, which is a bug */
export function checkCount({ name, shape }: Pick<TensorEntry, 'name' | 'shape'>, count: number): void {
  if (count !== valueCount(shape))
    throw new Error(`tensor ${name} has ${count} values, its shape [${shape}] needs ${valueCount(shape)}`);
}

/** Product of the sizes; 1 for a scalar. */
export function valueCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
