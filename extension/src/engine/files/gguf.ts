// Opens a GGUF file as tensors with GGUF's names, each checked to be inside the file. Called by ggufModel.ts. Tensor data is only
// read on request.
import type { Place } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import type { GgufValue } from './ggufFormat.js';
import { readGgufHeader, type GgufTensorInfo } from './ggufHeader.js';
import { quantizations } from './ggufQuantization.js';
import { plainDtypes, plainRowsAt } from './plainDtype.js';
import { RandomAccessFile } from './randomAccessFile.js';
import { valueCount } from './tensorEntry.js';
import { rowPieces, type StoredTensor } from './tensorSource.js';
import { BLOCK_VALUES, WeightBlocks, type BlockFormatName } from './weightBlocks.js';

export interface GgufFile {
  metadata: ReadonlyMap<string, GgufValue>;
  /** By GGUF name, such as `blk.0.attn_q.weight`. */
  tensors: ReadonlyMap<string, StoredTensor>;
  close(): void;
}

/** Types whose blocks a model can use without dequantizing. */
const KEPT_FORMATS: Readonly<Record<string, BlockFormatName>> = { Q8_0: 'int8', Q4_0: 'int4', Q4_1: 'int4_minimum' };

/** @throws InputError with the file, and the metadata key or tensor at fault */
export function openGgufFile(path: string): GgufFile {
  const file = new RandomAccessFile(path);
  try {
    const { metadata, tensors: infos, dataStart, alignment } = readGgufHeader(file);
    const tensors = new Map<string, StoredTensor>();
    for (const info of infos) {
      if (tensors.has(info.name)) throw new InputError('duplicate tensor', { file: path, key: info.name });
      tensors.set(info.name, storedTensor(file, info, dataStart));
    }
    checkOffsets(infos, tensors, alignment, path);
    return { metadata, tensors, close: () => file.close() };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** As llama.cpp: the data of each tensor begins where that of the one before ends, padded. Another offset would mean other values. */
function checkOffsets(
  infos: readonly GgufTensorInfo[],
  tensors: ReadonlyMap<string, StoredTensor>,
  alignment: number,
  file: string,
): void {
  let expected = 0;
  for (const { name, offset } of infos) {
    if (offset !== expected)
      throw new InputError(
        `its data is said to begin at byte ${offset}, but the tensors before it end at ${expected}`,
        {
          file,
          key: name,
          hint: 'The file is damaged: copy or download it again.',
        },
      );
    expected += Math.ceil(tensors.get(name)!.byteLength / alignment) * alignment;
  }
}

function storedTensor(
  file: RandomAccessFile,
  { name, shape, dtype, offset }: GgufTensorInfo,
  dataStart: number,
): StoredTensor {
  const place = { file: file.path, key: name };
  const length = valueCount(shape);
  const position = dataStart + offset;
  const byteLength = storedBytes(shape, dtype, place);
  if (!(position + byteLength <= file.size)) {
    throw new InputError(`${dtype} [${shape}] would end at byte ${position + byteLength}, the file has ${file.size}`, {
      ...place,
      hint: 'The file is truncated or damaged: copy or download it again.',
    });
  }
  const tensor = { name, shape, dtype, byteLength, place };
  if (Object.hasOwn(plainDtypes, dtype))
    return {
      ...tensor,
      readFloat32: () => plainDtypes[dtype].read(file, position, length, place),
      readRows: plainRowsAt(file, dtype, shape, position, place),
    };
  const { blockValues, blockBytes, dequantize } = quantizations[dtype];
  const columns = shape.at(-1) ?? 1;
  const rowBytes = (columns / blockValues) * blockBytes;
  const rows = (first: number, count: number) => {
    const bytes = new Uint8Array(count * rowBytes);
    file.readInto(bytes, position + first * rowBytes, place);
    return bytes;
  };
  const dequantized = (first: number, count: number) => {
    const values = new Float32Array(count * columns);
    dequantize(rows(first, count), values);
    return values;
  };
  const format = KEPT_FORMATS[dtype];
  const kept = format !== undefined && shape.length === 2 && columns % BLOCK_VALUES === 0;
  return {
    ...tensor,
    readFloat32: () => dequantized(0, length / columns),
    readRows: dequantized,
    ...(kept && {
      blocks: {
        format,
        transposed: false,
        read: (place = row => row) => {
          const blocks = new WeightBlocks(format, [shape[0], columns]);
          for (const { first, count } of rowPieces(length / columns, columns)) {
            const bytes = rows(first, count);
            for (let row = 0; row < count; row++)
              blocks.takeGgufRow(place(first + row), bytes.subarray(row * rowBytes, (row + 1) * rowBytes));
          }
          return blocks;
        },
      },
    }),
  };
}

function storedBytes(shape: number[], dtype: string, place: Place): number {
  if (Object.hasOwn(plainDtypes, dtype)) return valueCount(shape) * plainDtypes[dtype].bytes;
  if (!Object.hasOwn(quantizations, dtype)) {
    throw new InputError(`the type ${dtype} is not supported`, {
      ...place,
      hint: `Use a file with ${['F32', 'F16', 'BF16', ...Object.keys(quantizations)].join(', ')}.`,
    });
  }
  const { blockValues, blockBytes } = quantizations[dtype];
  const row = shape.at(-1) ?? 1;
  if (row % blockValues !== 0) {
    throw new InputError(`a row of ${row} values is not a whole number of ${dtype} blocks of ${blockValues}`, place);
  }
  return (valueCount(shape) / blockValues) * blockBytes;
}
