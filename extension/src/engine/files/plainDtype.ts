// Reads types that are stored value by value (not in quantized blocks) as float32. Called by the safetensors and GGUF readers after
// checking that the file is long enough.
import type { Place } from '../../core/codedError.js';
import { bfloat16ToFloat32, halfToFloat32 } from './halfFloat.js';
import type { RandomAccessFile } from './randomAccessFile.js';
import type { StoredTensor } from './tensorSource.js';

export interface PlainDtype {
  /** Bytes of one value. */
  bytes: number;
  /** Reads `length` values from `position`. */
  read(file: RandomAccessFile, position: number, length: number, place: Place): Float32Array;
}

/** By the name in safetensors and GGUF. Bytes are little-endian, as on all machines that this program supports. */
export const plainDtypes: Readonly<Record<string, PlainDtype>> = {
  F32: {
    bytes: 4,
    // Directly into the result: a second copy would double the memory of the largest tensors.
    read: (file, position, length, place) => {
      const values = new Float32Array(length);
      file.readInto(values, position, place);
      return values;
    },
  },
  F16: { bytes: 2, read: converted(Uint16Array, halfToFloat32) },
  BF16: { bytes: 2, read: converted(Uint16Array, bfloat16ToFloat32) },
  F64: { bytes: 8, read: converted(Float64Array, (source, target) => target.set(source)) },
  I64: {
    bytes: 8,
    read: converted(BigInt64Array, (source, target) => {
      for (let i = 0; i < source.length; i++) target[i] = Number(source[i]);
    }),
  },
  I32: { bytes: 4, read: converted(Int32Array, (source, target) => target.set(source)) },
  I16: { bytes: 2, read: converted(Int16Array, (source, target) => target.set(source)) },
  I8: { bytes: 1, read: converted(Int8Array, (source, target) => target.set(source)) },
  U8: { bytes: 1, read: converted(Uint8Array, (source, target) => target.set(source)) },
  BOOL: { bytes: 1, read: converted(Uint8Array, (source, target) => target.set(source)) },
};

/** Of a tensor at `position`. */
export function plainRowsAt(
  file: RandomAccessFile,
  dtype: string,
  shape: readonly number[],
  position: number,
  place: Place,
): StoredTensor['readRows'] {
  const columns = shape.at(-1) ?? 1;
  const { bytes, read } = plainDtypes[dtype];
  return (first, count) => read(file, position + first * columns * bytes, count * columns, place);
}

function converted<T extends NodeJS.ArrayBufferView>(
  Stored: new (length: number) => T,
  convert: (source: T, target: Float32Array) => void,
): PlainDtype['read'] {
  return (file, position, length, place) => {
    const stored = new Stored(length);
    file.readInto(stored, position, place);
    const values = new Float32Array(length);
    convert(stored, values);
    return values;
  };
}
