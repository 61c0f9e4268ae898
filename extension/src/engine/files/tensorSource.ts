// Stored tensors that have not been read. Created by the safetensors and GGUF readers; models load them one at a time, so that only
// one tensor at a time is in JavaScript's memory.
import type { Place } from '../../core/codedError.js';
import { valueCount } from './tensorEntry.js';
import type { BlockFormatName, WeightBlocks } from './weightBlocks.js';

export interface StoredTensor {
  /** Name in the file. */
  readonly name: string;
  /** Row-major shape as in Hugging Face (GGUF's dims are already reversed). */
  readonly shape: readonly number[];
  /** Stored type: F32, F16, BF16, I64, ..., Q8_0, Q4_K, ... */
  readonly dtype: string;
  /** Bytes in the file. */
  readonly byteLength: number;
  /** File, and name as key, for error messages. */
  readonly place: Place;
  /** Reads and converts (dequantizes) the whole tensor. @throws InputError if the file is too short */
  readFloat32(): Float32Array;
  /** The same of `count` rows of the last dimension from `first` on. */
  readRows(first: number, count: number): Float32Array;
  /** Set if the file has blocks that a model can use without dequantizing. */
  readonly blocks?: StoredBlocks;
}

/** A matrix stored in blocks. */
export interface StoredBlocks {
  readonly format: BlockFormatName;
  /** Whether the tensor is the transpose of the stored matrix; blocks are along the rows of the stored matrix. */
  readonly transposed: boolean;
  /** @param place maps a row of the file to a row of the result */
  read(place?: (row: number) => number): WeightBlocks;
}

/** Maximum number of values in a piece, except for longer rows. */
const PIECE_VALUES = 2 ** 19;

/** Rows of `columns` values in pieces: first row and number of rows. */
export function rowPieces(rows: number, columns: number): { first: number; count: number }[] {
  const most = Math.max(1, Math.floor(PIECE_VALUES / columns));
  return Array.from({ length: Math.ceil(rows / most) }, (_, i) => ({
    first: i * most,
    count: Math.min(most, rows - i * most),
  }));
}

/** The values of a tensor in consecutive pieces of whole rows. */
export function* piecesOf({ shape, readRows }: Pick<StoredTensor, 'shape' | 'readRows'>): Iterable<Float32Array> {
  const columns = shape.at(-1) ?? 1;
  for (const { first, count } of rowPieces(valueCount(shape) / columns, columns)) yield readRows(first, count);
}

/** Whether two tensors have the same shape and equal values. Reads them up to the first difference. */
export function sameValues(tensor: StoredTensor, other: StoredTensor): boolean {
  if (tensor.shape.join() !== other.shape.join()) return false;
  const others = piecesOf(other)[Symbol.iterator]();
  for (const values of piecesOf(tensor)) {
    const compared = others.next().value as Float32Array;
    // Bytes are compared faster, but 0 equals -0.
    if (Buffer.compare(bytesOf(values), bytesOf(compared)) !== 0 && values.some((value, i) => value !== compared[i]))
      return false;
  }
  return true;
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** A pretrained model on disk, in any file format, with Hugging Face's names. */
export interface ModelFiles {
  /** The model as named by the user. */
  readonly reference: string;
  /** Its folder or file. */
  readonly path: string;
  readonly format: 'huggingface' | 'gguf';
  /** config.json, possibly rebuilt from GGUF metadata. */
  readonly config: Record<string, unknown>;
  readonly generationConfig: Record<string, unknown> | null;
  readonly tokenizer: import('../../core/text/textTokenizer.js').TokenizerFiles | null;
  /** The folder with the tokenizer's files; null if they are part of the model's file. */
  readonly tokenizerFolder: string | null;
  /** chat_template that replaces the one of that folder, which is part of `tokenizer` already. */
  readonly ownTemplate?: unknown;
  /** By Hugging Face parameter name, such as `model.layers.0.self_attn.q_proj.weight`. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Closes the open files. */
  close(): void;
}
