// Opens a GGUF file as named tensors under GGUF's own names, every one checked to lie inside the file.
// Called by the GGUF model reader. It must never read tensor data before somebody asks for it.
import { InputError } from '../../core/inputError.js';
import type { GgufValue } from './ggufFormat.js';
import { readGgufHeader, type GgufTensorInfo } from './ggufHeader.js';
import { quantizations } from './ggufQuantization.js';
import { plainDtypes } from './plainDtype.js';
import { RandomAccessFile } from './randomAccessFile.js';
import { valueCount } from './tensorEntry.js';
import type { StoredTensor } from './tensorSource.js';

export interface GgufFile {
  metadata: ReadonlyMap<string, GgufValue>;
  /** By GGUF name, such as `blk.0.attn_q.weight`. */
  tensors: ReadonlyMap<string, StoredTensor>;
  close(): void;
}

/** @throws InputError naming the file, and the metadata key or tensor where one is at fault. */
export function openGgufFile(path: string): GgufFile {
  const file = new RandomAccessFile(path);
  try {
    const { metadata, tensors: infos, dataStart } = readGgufHeader(file);
    const tensors = new Map<string, StoredTensor>();
    for (const info of infos) {
      if (tensors.has(info.name))
        throw new InputError('this tensor stands there twice', { where: `${path}: ${info.name}` });
      tensors.set(info.name, storedTensor(file, info, dataStart));
    }
    return { metadata, tensors, close: () => file.close() };
  } catch (error) {
    file.close();
    throw error;
  }
}

function storedTensor(
  file: RandomAccessFile,
  { name, shape, dtype, offset }: GgufTensorInfo,
  dataStart: number,
): StoredTensor {
  const where = `${file.path}: ${name}`;
  const length = valueCount(shape);
  const position = dataStart + offset;
  const byteLength = storedBytes(shape, dtype, where);
  if (!(position + byteLength <= file.size)) {
    throw new InputError(`${dtype} [${shape}] would end at byte ${position + byteLength}, the file has ${file.size}`, {
      where,
      hint: 'The file is truncated or damaged: copy or download it again.',
    });
  }
  const readFloat32 = () => {
    if (Object.hasOwn(plainDtypes, dtype)) return plainDtypes[dtype].read(file, position, length, where);
    const bytes = new Uint8Array(byteLength);
    file.readInto(bytes, position, where);
    const values = new Float32Array(length);
    quantizations[dtype].dequantize(bytes, values);
    return values;
  };
  return { name, shape, dtype, byteLength, where, readFloat32 };
}

function storedBytes(shape: number[], dtype: string, where: string): number {
  if (Object.hasOwn(plainDtypes, dtype)) return valueCount(shape) * plainDtypes[dtype].bytes;
  if (!Object.hasOwn(quantizations, dtype)) {
    throw new InputError(`it is stored as ${dtype}, which can't be read`, {
      where,
      hint: `Take a file with ${['F32', 'F16', 'BF16', ...Object.keys(quantizations)].join(', ')}.`,
    });
  }
  const { blockValues, blockBytes } = quantizations[dtype];
  const row = shape.at(-1) ?? 1;
  if (row % blockValues !== 0) {
    throw new InputError(`a row of ${row} values is no whole number of ${dtype} blocks of ${blockValues}`, { where });
  }
  return (valueCount(shape) / blockValues) * blockBytes;
}
