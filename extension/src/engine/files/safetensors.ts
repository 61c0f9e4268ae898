// Reads and writes .safetensors, the format of Hugging Face weights and PEFT adapters: an 8-byte little-endian header
// length, a JSON header (name -> dtype, shape, data_offsets), then the data without gaps.
// Called for model folders, adapters and checkpoints. Sizes are checked before allocating.
// Format: https://github.com/huggingface/safetensors#format
import { setImmediate } from 'node:timers/promises';
import type { Place } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import { streamFileAtomically, writeFileAtomically } from './atomicFile.js';
import { encodeRows } from './ggufQuantizers.js';
import { plainDtypes, plainRowsAt } from './plainDtype.js';
import { RandomAccessFile } from './randomAccessFile.js';
import {
  checkCount,
  encodeEntry,
  entryBytes,
  valueCount,
  type DeviceTensor,
  type FloatDtype,
  type TensorEntry,
} from './tensorEntry.js';
import type { StoredTensor } from './tensorSource.js';

export interface SafetensorsFile {
  /** By name, in the file's order. */
  tensors: Map<string, StoredTensor>;
  metadata: Record<string, string>;
  close(): void;
}

/** Further types of the format and their bits: they occur in quantized models, whose values aren't read. */
const UNREAD_DTYPE_BITS: Readonly<Record<string, number>> = {
  ...{ U16: 16, U32: 32, U64: 64, C64: 64, F4: 4, F6_E2M3: 6, F6_E3M2: 6 },
  ...{ F8_E4M3: 8, F8_E5M2: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8 },
};

const METADATA_KEY = '__metadata__';
/** The limit of the reference implementation. */
const MAX_HEADER_BYTES = 100_000_000;

/**
 * Opens the file and checks its whole header; data is read later, tensor by tensor.
 * @throws InputError with the file and, if one is at fault, the tensor
 */
export function openSafetensors(path: string): SafetensorsFile {
  const file = new RandomAccessFile(path);
  try {
    const { header, dataStart } = readHeader(file);
    const metadata = readMetadata(header, path);
    const tensors = new Map<string, StoredTensor>();
    const ranges: { name: string; begin: number; end: number }[] = [];
    for (const [name, entry] of Object.entries(header)) {
      if (name === METADATA_KEY) continue;
      const checked = checkEntry(entry, { file: path, key: name }, file.size - dataStart);
      ranges.push({ name, ...checked });
      tensors.set(name, storedTensor(file, name, checked, dataStart));
    }
    checkCoverage(ranges, path, file.size - dataStart);
    return { tensors, metadata, close: () => file.close() };
  } catch (error) {
    file.close();
    throw error;
  }
}

function readHeader(file: RandomAccessFile): { header: Record<string, unknown>; dataStart: number } {
  const details = {
    file: file.path,
    hint: 'The file is truncated or not a safetensors file: copy or download it again.',
  };
  if (file.size < 8) throw new InputError(`a safetensors file has at least 8 bytes, this one ${file.size}`, details);
  const prefix = new DataView(new ArrayBuffer(8));
  file.readInto(prefix, 0);
  const length = prefix.getBigUint64(0, true);
  if (length > BigInt(Math.min(MAX_HEADER_BYTES, file.size - 8))) {
    throw new InputError(`the header length is ${length} bytes, but the file has ${file.size}`, details);
  }
  const bytes = new Uint8Array(Number(length));
  file.readInto(bytes, 8);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new InputError('the header is not JSON', details);
  }
  if (!isRecord(header)) throw new InputError('the header is not a JSON object', details);
  return { header, dataStart: 8 + bytes.length };
}

function readMetadata(header: Record<string, unknown>, file: string): Record<string, string> {
  const metadata = header[METADATA_KEY] ?? {};
  if (!isRecord(metadata) || !Object.values(metadata).every(value => typeof value === 'string')) {
    throw new InputError('__metadata__ in the header is not an object with string values', { file });
  }
  return metadata as Record<string, string>;
}

interface CheckedEntry {
  dtype: string;
  shape: number[];
  length: number;
  begin: number;
  end: number;
}

function checkEntry(entry: unknown, place: Place, dataBytes: number): CheckedEntry {
  if (!isRecord(entry)) throw new InputError('the header entry is not an object', place);
  const { dtype, shape, data_offsets: offsets } = entry;
  const bits = typeof dtype === 'string' ? dtypeBits(dtype) : null;
  if (typeof dtype !== 'string' || bits === null) {
    throw new InputError(`unknown dtype ${JSON.stringify(dtype)}`, {
      ...place,
      hint: `Convert it to one of ${Object.keys(plainDtypes).join(', ')}.`,
    });
  }
  if (!isCounts(shape)) throw new InputError(`the shape is ${JSON.stringify(shape)}, not a list of sizes`, place);
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    throw new InputError(`data_offsets is ${JSON.stringify(offsets)}, not [begin, end]`, place);
  }
  const [begin, end] = offsets;
  if (end > dataBytes) {
    throw new InputError(`the data ends at byte ${end}, but the file has ${dataBytes} bytes of data`, {
      ...place,
      hint: 'The file is truncated: copy or download it again.',
    });
  }
  const length = valueCount(shape);
  const bytes = (length * bits) / 8;
  if (bytes !== end - begin) {
    throw new InputError(`${dtype} [${shape}] takes ${bytes} bytes, but its data_offsets span ${end - begin}`, place);
  }
  return { dtype, shape, length, begin, end };
}

function dtypeBits(dtype: string): number | null {
  if (Object.hasOwn(plainDtypes, dtype)) return 8 * plainDtypes[dtype].bytes;
  return Object.hasOwn(UNREAD_DTYPE_BITS, dtype) ? UNREAD_DTYPE_BITS[dtype] : null;
}

/** The tensors must cover the data exactly: no overlap, no gap, nothing at the end. */
function checkCoverage(ranges: { name: string; begin: number; end: number }[], path: string, dataBytes: number): void {
  ranges.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let end = 0;
  for (const range of ranges) {
    if (range.begin !== end) {
      const fault = range.begin < end ? 'overlaps the previous tensor' : 'leaves a gap after the previous tensor';
      throw new InputError(`the data begins at byte ${range.begin} and ${fault}, which ends at ${end}`, {
        file: path,
        key: range.name,
      });
    }
    end = range.end;
  }
  if (end !== dataBytes) {
    throw new InputError(`the tensors take ${end} bytes, but the file has ${dataBytes} bytes of data`, { file: path });
  }
}

function storedTensor(file: RandomAccessFile, name: string, entry: CheckedEntry, dataStart: number): StoredTensor {
  const { dtype, shape, length, begin, end } = entry;
  const place = { file: file.path, key: name };
  const readable = () => {
    if (Object.hasOwn(plainDtypes, dtype)) return plainDtypes[dtype];
    throw new InputError(`${dtype} values are not supported`, place);
  };
  return {
    name,
    shape,
    dtype,
    byteLength: end - begin,
    place,
    readFloat32: () => readable().read(file, dataStart + begin, length, place),
    readRows: (first, count) => {
      readable();
      return plainRowsAt(file, dtype, shape, dataStart + begin, place)(first, count);
    },
  };
}

/** The order of the reference writer, by descending alignment. */
const DTYPE_ORDER: FloatDtype[] = ['F32', 'BF16', 'F16'];
/** Required by Python's loaders. */
const PYTORCH = { format: 'pt' };

/**
 * Writes the file atomically. Tensors are in the reference writer's order, by dtype and then by name. Data is requested one tensor
 * at a time.
 * @throws InputError if the disk is full; an existing file is then unchanged
 */
export function writeSafetensors(
  path: string,
  entries: Iterable<TensorEntry>,
  metadata: Record<string, string> = PYTORCH,
): void {
  const { prefix, sorted } = layOut(path, entries, metadata);
  writeFileAtomically(path, append => {
    append(prefix);
    for (const entry of sorted) append(encodeEntry(entry));
  });
}

export interface WriteOptions {
  /** F32 by default. If it is given, each value must be finite and fit. */
  dtype?: FloatDtype;
  /** Called before each tensor; may throw to end the work. */
  onTensor?: (name: string) => void;
}

/**
 * The same for tensors by name, each read from its device when it is written.
 * @throws InputError on a value that a 16-bit type can't hold
 */
export async function writeDeviceTensors(
  path: string,
  tensors: ReadonlyMap<string, DeviceTensor>,
  { dtype, onTensor }: WriteOptions = {},
): Promise<void> {
  const entries = [...tensors].map(([name, tensor]) => ({ name, shape: tensor.shape, dtype: dtype ?? 'F32', tensor }));
  const { prefix, sorted } = layOut(path, entries, PYTORCH);
  await streamFileAtomically(path, async append => {
    append(prefix);
    for (const { tensor, ...entry } of sorted) {
      onTensor?.(entry.name);
      let written = 0;
      for await (const values of 'pieces' in tensor ? tensor.pieces() : [tensor.data() as Promise<Float32Array>]) {
        append(dtype === undefined ? values : encodeRows(dtype, values, { file: path, key: entry.name }));
        written += values.length;
      }
      checkCount(entry, written);
      // Signals get through between tensors.
      await setImmediate();
    }
  });
}

/** Bytes of the file. */
export function safetensorsBytes(
  entries: readonly Omit<TensorEntry, 'data'>[],
  metadata: Record<string, string> = PYTORCH,
): number {
  return entries.reduce((sum, entry) => sum + entryBytes(entry), layOut('', entries, metadata).prefix.length);
}

/** The header, and the tensors in order. */
function layOut<Entry extends Omit<TensorEntry, 'data'>>(
  path: string,
  entries: Iterable<Entry>,
  metadata: Record<string, string>,
): { prefix: Buffer; sorted: Entry[] } {
  const sorted = [...entries].toSorted(
    (a, b) => DTYPE_ORDER.indexOf(a.dtype) - DTYPE_ORDER.indexOf(b.dtype) || compareBytes(a.name, b.name),
  );
  const header: Record<string, unknown> = { [METADATA_KEY]: metadata };
  let end = 0;
  for (const entry of sorted) {
    const { name, shape, dtype } = entry;
    if (Object.hasOwn(header, name)) throw new Error(`tensor ${name} is written twice to ${path}`);
    const begin = end;
    end += entryBytes(entry);
    header[name] = { dtype, shape, data_offsets: [begin, end] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ');
  prefix.writeBigUInt64LE(BigInt(prefix.length - 8));
  json.copy(prefix, 8);
  return { prefix, sorted };
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(item => Number.isSafeInteger(item) && item >= 0);
}
