// Writes a GGUF file, version 3: metadata with explicit types, then tensors at aligned offsets, as F32, F16, BF16 or as bytes of
// any type. Called by the export of adapters and for test models. The file is written atomically.
import { writeFileAtomically } from './atomicFile.js';
import { GGML_TYPES, GGUF_ALIGNMENT, GGUF_MAGIC, GGUF_VALUE_TYPES, GGUF_VERSION } from './ggufFormat.js';
import { encodeEntry, entryBytes, type TensorEntry } from './tensorEntry.js';

export type GgufTypedValue =
  | { type: 'uint32' | 'int32' | 'float32'; value: number }
  | { type: 'bool'; value: boolean }
  | { type: 'string'; value: string }
  | { type: 'array'; items: Exclude<GgufTypedValue, { type: 'array' }>[] };

/** A tensor of a type that this program can only read, as encoded bytes. */
export interface GgufBlocksEntry {
  name: string;
  shape: readonly number[];
  /** GGUF's name of the type. */
  ggmlType: string;
  byteLength: number;
  /** Its bytes, in consecutive pieces. */
  pieces(): Iterable<Uint8Array>;
}

type GgufEntry = TensorEntry | GgufBlocksEntry;

/**
 * @param tensors with Hugging Face's shapes, which are reversed when written
 * @throws InputError if the disk is full; an existing file is then unchanged
 */
export function writeGguf(path: string, metadata: Record<string, GgufTypedValue>, tensors: readonly GgufEntry[]): void {
  const header = Buffer.concat([
    Buffer.from(GGUF_MAGIC),
    uint32(GGUF_VERSION),
    uint64(tensors.length),
    uint64(Object.keys(metadata).length),
    ...Object.entries(metadata).flatMap(([key, value]) => [string(key), typed(value)]),
    ...tensorInfos(tensors),
  ]);
  writeFileAtomically(path, append => {
    append(header);
    append(padding(header.length));
    for (const tensor of tensors) {
      for (const piece of 'pieces' in tensor ? tensor.pieces() : [encodeEntry(tensor)]) append(piece);
      append(padding(bytesOf(tensor)));
    }
  });
}

function bytesOf(tensor: GgufEntry): number {
  return 'pieces' in tensor ? tensor.byteLength : entryBytes(tensor);
}

function tensorInfos(tensors: readonly GgufEntry[]): Buffer[] {
  let offset = 0;
  return tensors.map(tensor => {
    const { name, shape } = tensor;
    const dims = shape.toReversed().map(uint64);
    const type = ggmlType('pieces' in tensor ? tensor.ggmlType : tensor.dtype);
    const info = Buffer.concat([string(name), uint32(shape.length), ...dims, uint32(type), uint64(offset)]);
    offset += bytesOf(tensor) + padding(bytesOf(tensor)).length;
    return info;
  });
}

function ggmlType(dtype: string): number {
  return Number(Object.keys(GGML_TYPES).find(type => GGML_TYPES[Number(type)] === dtype));
}

function typed(value: GgufTypedValue): Buffer {
  const type = uint32(GGUF_VALUE_TYPES.indexOf(value.type));
  if (value.type !== 'array') return Buffer.concat([type, payload(value)]);
  const itemType = value.items[0]?.type ?? 'string';
  if (value.items.some(item => item.type !== itemType))
    throw new Error('all items of a GGUF array must have the same type');
  const head = [type, uint32(GGUF_VALUE_TYPES.indexOf(itemType)), uint64(value.items.length)];
  return Buffer.concat([...head, ...value.items.map(payload)]);
}

function payload(value: Exclude<GgufTypedValue, { type: 'array' }>): Buffer {
  if (value.type === 'string') return string(value.value);
  if (value.type === 'bool') return Buffer.of(value.value ? 1 : 0);
  if (value.type === 'uint32') return uint32(value.value);
  const bytes = Buffer.alloc(4);
  if (value.type === 'int32') bytes.writeInt32LE(value.value);
  else bytes.writeFloatLE(value.value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([uint64(bytes.length), bytes]);
}

function padding(length: number): Buffer {
  return Buffer.alloc((GGUF_ALIGNMENT - (length % GGUF_ALIGNMENT)) % GGUF_ALIGNMENT);
}
