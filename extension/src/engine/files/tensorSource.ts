// A stored tensor that is not read yet. safetensors and GGUF readers make them, models load them one at a time, so that
// at no time more than one tensor stands in JavaScript memory beside the loaded ones.
import type { Place } from '../../core/codedError.js';
import type { BlockFormatName, WeightBlocks } from './weightBlocks.js';

export interface StoredTensor {
  /** Name in the file. */
  readonly name: string;
  /** Row-major shape as Hugging Face has it (GGUF's reversed dims already turned round). */
  readonly shape: readonly number[];
  /** Stored type: F32, F16, BF16, I64, ..., Q8_0, Q4_K, ... */
  readonly dtype: string;
  /** Bytes in the file. */
  readonly byteLength: number;
  /** File and, as its key, name, for messages. */
  readonly place: Place;
  /** Reads and converts (dequantizes) the whole tensor. Throws InputError where the file is too short. */
  readFloat32(): Float32Array;
  /** The same in consecutive pieces of whole rows, a few MB each where the file's order allows it. */
  readFloat32Rows(): Iterable<Float32Array>;
  /** Where the file has it in blocks that a model can compute with as they are. */
  readonly blocks?: StoredBlocks;
}

/** A matrix in blocks. */
export interface StoredBlocks {
  readonly format: BlockFormatName;
  /** Whether the tensor is the stored matrix turned round: blocks lie along the rows of what is stored. */
  readonly transposed: boolean;
  /** @param place where a row of the file goes */
  read(place?: (row: number) => number): WeightBlocks;
}

/** Values that a piece of `readFloat32Rows` holds at most, but for longer rows. */
const PIECE_VALUES = 2 ** 21;

/** Rows of `columns` values in pieces: first row and number of rows. */
export function rowPieces(rows: number, columns: number): { first: number; count: number }[] {
  const most = Math.max(1, Math.floor(PIECE_VALUES / columns));
  return Array.from({ length: Math.ceil(rows / most) }, (_, i) => ({
    first: i * most,
    count: Math.min(most, rows - i * most),
  }));
}

/** Everything of a pretrained model on disk, whatever its file format, under Hugging Face's names. */
export interface ModelFiles {
  /** As the user wrote it in the run file. */
  readonly reference: string;
  /** Folder or file it was found at. */
  readonly path: string;
  readonly format: 'huggingface' | 'gguf';
  /** config.json, or what GGUF metadata says in its words. */
  readonly config: Record<string, unknown>;
  readonly generationConfig: Record<string, unknown> | null;
  readonly tokenizer: import('../../core/text/textTokenizer.js').TokenizerFiles | null;
  /** By Hugging Face parameter name, such as `model.layers.0.self_attn.q_proj.weight`. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Closes the open files. */
  close(): void;
}
