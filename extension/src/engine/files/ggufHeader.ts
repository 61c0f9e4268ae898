// Reads the header of a GGUF file: metadata and tensor infos, synchronously and within fixed limits. Called by gguf.ts and the list
// of local models. Counts and lengths are checked against the size of the file before allocating; @huggingface/gguf is
// asynchronous and doesn't check them.
import { InputError } from '../../core/inputError.js';
import {
  GGML_TYPES,
  GGUF_ALIGNMENT,
  GGUF_MAGIC,
  GGUF_VALUE_TYPES,
  type GgufValue,
  type GgufValueType,
} from './ggufFormat.js';
import type { RandomAccessFile } from './randomAccessFile.js';

export interface GgufTensorInfo {
  name: string;
  /** Row-major; GGUF's dims are already reversed. */
  shape: number[];
  /** Such as Q4_1; `type 99` if the number is unknown. */
  dtype: string;
  /** Bytes from the start of the data. */
  offset: number;
}

export interface GgufHeader {
  version: number;
  metadata: Map<string, GgufValue>;
  /** Where each key with its value is in the file. */
  pairs: Map<string, { begin: number; end: number }>;
  tensors: GgufTensorInfo[];
  /** The data of each tensor starts at a multiple of it, in bytes. */
  alignment: number;
  /** Position in the file where the tensors' data starts. */
  dataStart: number;
}

/** The largest real headers (vocabularies of 260,000 tokens with merges) have about 20 MB. */
const MAX_HEADER_BYTES = 256 * 1024 * 1024;
const MAX_STRING_BYTES = 16 * 1024 * 1024;
const MAX_ARRAY_LENGTH = 1 << 24;
const MAX_ARRAY_DEPTH = 4;
const MAX_DIMS = 4;
const WINDOW_BYTES = 1 << 20;

const HINT = 'The file is truncated or damaged: copy or download it again.';

/** @throws InputError if the file is not GGUF, has an unknown version, or claims impossible sizes */
export function readGgufHeader(file: RandomAccessFile): GgufHeader {
  const cursor = new HeaderCursor(file);
  if (file.size < 24 || cursor.text(4, 'magic') !== GGUF_MAGIC) {
    throw new InputError('this is not a GGUF file', { file: file.path });
  }
  const version = cursor.uint32('version');
  if (version !== 2 && version !== 3) {
    throw new InputError(`GGUF version ${version} is not supported`, {
      file: file.path,
      hint: 'Supported are versions 2 and 3 (little-endian): convert the model again with a current llama.cpp.',
    });
  }
  const tensorCount = cursor.count('tensor count', 24);
  const metadataCount = cursor.count('metadata count', 13);

  const metadata = new Map<string, GgufValue>();
  const pairs: GgufHeader['pairs'] = new Map();
  for (let i = 0; i < metadataCount; i++) {
    const begin = cursor.position;
    const key = cursor.string('metadata key');
    if (metadata.has(key)) throw new InputError('duplicate metadata key', { file: file.path, key });
    metadata.set(key, readValue(cursor, readType(cursor, key), key, 0));
    pairs.set(key, { begin, end: cursor.position });
  }
  const tensors: GgufTensorInfo[] = [];
  for (let i = 0; i < tensorCount; i++) tensors.push(readTensorInfo(cursor));

  const alignment = metadata.get('general.alignment') ?? GGUF_ALIGNMENT;
  if (
    typeof alignment !== 'number' ||
    !(alignment >= 8 && alignment <= 65536) ||
    !Number.isInteger(Math.log2(alignment))
  ) {
    throw new InputError(`invalid alignment ${alignment}`, { file: file.path, key: 'general.alignment', hint: HINT });
  }
  const dataStart = Math.ceil(cursor.position / alignment) * alignment;
  return { version, metadata, pairs, tensors, alignment, dataStart };
}

function readType(cursor: HeaderCursor, key: string): GgufValueType {
  const code = cursor.uint32(key);
  const type = GGUF_VALUE_TYPES[code];
  if (!type) throw new InputError(`unknown metadata type ${code}`, { file: cursor.path, key, hint: HINT });
  return type;
}

const SMALLEST_BYTES: Record<GgufValueType, number> = {
  uint8: 1,
  int8: 1,
  bool: 1,
  uint16: 2,
  int16: 2,
  uint32: 4,
  int32: 4,
  float32: 4,
  uint64: 8,
  int64: 8,
  float64: 8,
  string: 8,
  array: 12,
};

function readValue(cursor: HeaderCursor, type: GgufValueType, key: string, depth: number): GgufValue {
  if (type === 'string') return cursor.string(key);
  if (type !== 'array') return cursor.scalar(type, key);
  if (depth === MAX_ARRAY_DEPTH)
    throw new InputError('arrays are nested too deeply', { file: cursor.path, key, hint: HINT });
  const itemType = readType(cursor, key);
  const length = cursor.count(key, SMALLEST_BYTES[itemType]);
  if (length > MAX_ARRAY_LENGTH) {
    throw new InputError(`an array of ${length} items is too long`, { file: cursor.path, key, hint: HINT });
  }
  const items: GgufValue[] = [];
  for (let i = 0; i < length; i++) items.push(readValue(cursor, itemType, key, depth + 1));
  return items;
}

function readTensorInfo(cursor: HeaderCursor): GgufTensorInfo {
  const name = cursor.string('tensor name');
  const dims = cursor.uint32(name);
  if (dims > MAX_DIMS) {
    throw new InputError(`the tensor claims ${dims} dimensions, but the maximum is ${MAX_DIMS}`, {
      file: cursor.path,
      key: name,
      hint: HINT,
    });
  }
  const shape: number[] = [];
  for (let i = 0; i < dims; i++) shape.unshift(cursor.uint64(name));
  const type = cursor.uint32(name);
  return { name, shape, dtype: GGML_TYPES[type] ?? `type ${type}`, offset: cursor.uint64(name) };
}

/** Reads sequentially through a window of 1 MB, or larger for a longer string. */
class HeaderCursor {
  position = 0;
  readonly path: string;
  private readonly end: number;
  private window = Buffer.alloc(0);
  private windowStart = 0;

  constructor(private readonly file: RandomAccessFile) {
    this.path = file.path;
    this.end = Math.min(file.size, MAX_HEADER_BYTES);
  }

  uint32(what: string): number {
    return this.scalar('uint32', what) as number;
  }

  /** A 64-bit size; one above MAX_SAFE_INTEGER can't be true. */
  uint64(what: string): number {
    const value = this.take(8, what).readBigUInt64LE();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) this.impossible(value, what);
    return Number(value);
  }

  /** A count of items that follow in the header and take at least `itemBytes` each. */
  count(what: string, itemBytes: number): number {
    const value = this.uint64(what);
    if (value * itemBytes > this.end - this.position) this.impossible(value, what);
    return value;
  }

  string(what: string): string {
    const length = this.count(what, 1);
    if (length > MAX_STRING_BYTES) this.impossible(length, what);
    return this.text(length, what);
  }

  text(length: number, what: string): string {
    return this.take(length, what).toString('utf8');
  }

  scalar(type: Exclude<GgufValueType, 'string' | 'array'>, what: string): number | boolean {
    const bytes = this.take(SMALLEST_BYTES[type], what);
    switch (type) {
      case 'uint8':
        return bytes.readUInt8();
      case 'int8':
        return bytes.readInt8();
      case 'bool':
        return bytes.readUInt8() !== 0;
      case 'uint16':
        return bytes.readUInt16LE();
      case 'int16':
        return bytes.readInt16LE();
      case 'uint32':
        return bytes.readUInt32LE();
      case 'int32':
        return bytes.readInt32LE();
      case 'float32':
        return bytes.readFloatLE();
      case 'float64':
        return bytes.readDoubleLE();
      case 'uint64':
        return Number(bytes.readBigUInt64LE());
      case 'int64':
        return Number(bytes.readBigInt64LE());
    }
  }

  private take(count: number, what: string): Buffer {
    if (count > this.end - this.position) {
      throw new InputError('the file ends within its header', { file: this.path, key: what, hint: HINT });
    }
    if (this.position + count > this.windowStart + this.window.length) {
      this.window = Buffer.alloc(Math.min(Math.max(count, WINDOW_BYTES), this.end - this.position));
      this.windowStart = this.position;
      this.file.readInto(this.window, this.windowStart, { file: this.path, key: what });
    }
    const from = this.position - this.windowStart;
    this.position += count;
    return this.window.subarray(from, from + count);
  }

  private impossible(value: number | bigint, what: string): never {
    throw new InputError(`the size is given as ${value}, but the file has ${this.file.size} bytes`, {
      file: this.path,
      key: what,
      hint: HINT,
    });
  }
}
