// Writes a GGUF file: metadata with explicit types, then tensors at aligned offsets, as F32, F16, BF16 or as bytes of any type.
// Called by the exports of adapters and models, and for test models. The file is written atomically.
import { setImmediate } from 'node:timers/promises';
import { streamFileAtomically, writeFileAtomically, type Verify } from './atomicFile.js';
import { GGML_TYPES, GGUF_ALIGNMENT, GGUF_MAGIC, GGUF_VALUE_TYPES, GGUF_VERSION } from './ggufFormat.js';
import { encodeEntry, entryBytes, type TensorEntry } from './tensorEntry.js';

export type GgufTypedValue =
  | { type: 'uint32' | 'int32' | 'float32'; value: number }
  | { type: 'bool'; value: boolean }
  | { type: 'string'; value: string }
  | { type: 'array'; items: Exclude<GgufTypedValue, { type: 'array' }>[] };

/** A tensor as encoded bytes. */
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

/** The same with bytes that are made when they are written, piece by piece. */
export interface GgufStreamedEntry extends Omit<GgufBlocksEntry, 'pieces'> {
  pieces(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

export interface GgufFileParts {
  version?: number;
  alignment?: number;
  /** Each with its key, as {@link metadataPair} makes them or another file has them. */
  pairs: readonly Uint8Array[];
  tensors: readonly GgufStreamedEntry[];
}

/**
 * @param tensors with Hugging Face's shapes, which are reversed when written
 * @throws InputError if the disk is full; an existing file is then unchanged
 */
export function writeGguf(path: string, metadata: Record<string, GgufTypedValue>, tensors: readonly GgufEntry[]): void {
  const parts = partsOf(metadata, tensors);
  writeFileAtomically(path, append => {
    append(headerOf(parts));
    for (const tensor of parts.tensors) {
      for (const piece of tensor.pieces()) append(piece);
      append(padding(tensor.byteLength, GGUF_ALIGNMENT));
    }
  });
}

/** The parts of the file that {@link writeGguf} writes. */
export function partsOf(metadata: Record<string, GgufTypedValue>, tensors: readonly GgufEntry[]) {
  const pairs = Object.entries(metadata).map(([key, value]) => metadataPair(key, value));
  return { pairs, tensors: tensors.map(tensor => ('pieces' in tensor ? tensor : encodedEntry(tensor))) };
}

/**
 * The same, one piece at a time in memory.
 * @param verify checks the complete file before it is put in place
 * @param onTensor called before each tensor; may throw to end the work
 */
export async function streamGguf(
  path: string,
  parts: GgufFileParts,
  { verify, onTensor }: { verify?: Verify; onTensor?: (index: number) => void } = {},
): Promise<void> {
  await streamFileAtomically(
    path,
    async append => {
      append(headerOf(parts));
      for (const [i, tensor] of parts.tensors.entries()) {
        onTensor?.(i);
        let written = 0;
        for await (const piece of tensor.pieces()) {
          append(piece);
          written += piece.byteLength;
          // Signals get through between pieces.
          await setImmediate();
        }
        if (written !== tensor.byteLength)
          throw new Error(`tensor ${tensor.name} has ${written} bytes, not ${tensor.byteLength}`);
        append(padding(written, parts.alignment ?? GGUF_ALIGNMENT));
      }
    },
    verify,
  );
}

/** Bytes of the file. */
export function ggufBytes(parts: GgufFileParts): number {
  const alignment = parts.alignment ?? GGUF_ALIGNMENT;
  const padded = ({ byteLength }: GgufStreamedEntry) => byteLength + padding(byteLength, alignment).length;
  return headerOf(parts).length + parts.tensors.reduce((sum, tensor) => sum + padded(tensor), 0);
}

/** A metadata key and its value as the file has them. */
export function metadataPair(key: string, value: GgufTypedValue): Uint8Array {
  return Buffer.concat([string(key), typed(value)]);
}

function encodedEntry(tensor: TensorEntry): GgufBlocksEntry {
  const { name, shape, dtype } = tensor;
  const bytes = () => {
    const { buffer, byteOffset, byteLength } = encodeEntry(tensor);
    return new Uint8Array(buffer, byteOffset, byteLength);
  };
  return { name, shape, ggmlType: dtype, byteLength: entryBytes(tensor), pieces: () => [bytes()] };
}

/** With the padding up to the first tensor. */
function headerOf({
  version = GGUF_VERSION,
  alignment = GGUF_ALIGNMENT,
  pairs,
  tensors,
}: Omit<GgufFileParts, 'tensors'> & { tensors: readonly Omit<GgufStreamedEntry, 'pieces'>[] }): Buffer {
  let offset = 0;
  const infos = tensors.map(({ name, shape, ggmlType, byteLength }) => {
    const dims = shape.toReversed().map(uint64);
    const type = uint32(numberOfType(ggmlType));
    const info = Buffer.concat([string(name), uint32(shape.length), ...dims, type, uint64(offset)]);
    offset += byteLength + padding(byteLength, alignment).length;
    return info;
  });
  const counts = [uint64(tensors.length), uint64(pairs.length)];
  const header = Buffer.concat([Buffer.from(GGUF_MAGIC), uint32(version), ...counts, ...pairs, ...infos]);
  return Buffer.concat([header, padding(header.length, alignment)]);
}

/** The number of a type in the file. */
function numberOfType(name: string): number {
  return Number(Object.keys(GGML_TYPES).find(type => GGML_TYPES[Number(type)] === name));
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

function padding(length: number, alignment: number): Buffer {
  return Buffer.alloc((alignment - (length % alignment)) % alignment);
}
