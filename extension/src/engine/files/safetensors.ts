// Reads and writes .safetensors, the format of Hugging Face weights and PEFT adapters: an 8-byte little-endian header
// length, a JSON header (name -> dtype, shape, data_offsets), then the data without gaps.
// Called by the model folder reader, adapters and checkpoints. It must never allocate from a size it has not checked.
// Format: https://github.com/huggingface/safetensors#format
import type { Place } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import { streamFileAtomically, writeFileAtomically } from './atomicFile.js';
import { plainDtypes, readPlainRows } from './plainDtype.js';
import { RandomAccessFile } from './randomAccessFile.js';
import {
  encodeEntry,
  encodeValues,
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

const metadataKey = '__metadata__';
/** The reference implementation refuses longer headers too. */
const maxHeaderBytes = 100_000_000;

/**
 * Opens the file and checks its whole header; data is read tensor by tensor later.
 * @throws InputError naming the file, and the tensor file one is at fault.
 */
export function openSafetensors(path: string): SafetensorsFile {
  const file = new RandomAccessFile(path);
  try {
    const { header, dataStart } = readHeader(file);
    const metadata = readMetadata(header, path);
    const tensors = new Map<string, StoredTensor>();
    const ranges: { name: string; begin: number; end: number }[] = [];
    for (const [name, entry] of Object.entries(header)) {
      if (name === metadataKey) continue;
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
  const wrong = {
    file: file.path,
    hint: 'It is truncated or not a safetensors file: copy or download it again.',
  };
  if (file.size < 8) throw new InputError(`a safetensors file has at least 8 bytes, this one ${file.size}`, wrong);
  const prefix = new DataView(new ArrayBuffer(8));
  file.readInto(prefix, 0);
  const length = prefix.getBigUint64(0, true);
  if (length > BigInt(Math.min(maxHeaderBytes, file.size - 8))) {
    throw new InputError(`its header claims ${length} bytes, the file has ${file.size}`, wrong);
  }
  const bytes = new Uint8Array(Number(length));
  file.readInto(bytes, 8);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new InputError('its header is not JSON', wrong);
  }
  if (!isRecord(header)) throw new InputError('its header is not a JSON object', wrong);
  return { header, dataStart: 8 + bytes.length };
}

function readMetadata(header: Record<string, unknown>, file: string): Record<string, string> {
  const metadata = header[metadataKey] ?? {};
  if (!isRecord(metadata) || !Object.values(metadata).every(value => typeof value === 'string')) {
    throw new InputError('__metadata__ of its header is not a table of strings', { file });
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
  if (!isRecord(entry)) throw new InputError('its header entry is not an object', place);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !Object.hasOwn(plainDtypes, dtype)) {
    throw new InputError(`unknown dtype ${JSON.stringify(dtype)}`, {
      ...place,
      hint: `Convert it to one of ${Object.keys(plainDtypes).join(', ')}.`,
    });
  }
  if (!isCounts(shape)) throw new InputError(`its shape is ${JSON.stringify(shape)}, not a list of sizes`, place);
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    throw new InputError(`its data_offsets are ${JSON.stringify(offsets)}, not [begin, end]`, place);
  }
  const [begin, end] = offsets;
  if (end > dataBytes) {
    throw new InputError(`its data ends at byte ${end}, the file has ${dataBytes} bytes of data`, {
      ...place,
      hint: 'The file is truncated: copy or download it again.',
    });
  }
  const length = valueCount(shape);
  const bytes = length * plainDtypes[dtype].bytes;
  if (bytes !== end - begin) {
    throw new InputError(`${dtype} [${shape}] takes ${bytes} bytes, its data_offsets give it ${end - begin}`, place);
  }
  return { dtype, shape, length, begin, end };
}

/** The data must be covered exactly: no overlap, no gap, nothing behind. */
function checkCoverage(ranges: { name: string; begin: number; end: number }[], path: string, dataBytes: number): void {
  ranges.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let end = 0;
  for (const range of ranges) {
    if (range.begin !== end) {
      const fault = range.begin < end ? 'overlaps the tensor before it' : 'leaves a gap before it';
      throw new InputError(`its data begins at byte ${range.begin} and ${fault}, which ends at ${end}`, {
        file: path,
        key: range.name,
      });
    }
    end = range.end;
  }
  if (end !== dataBytes) {
    throw new InputError(`its tensors take ${end} bytes, the file has ${dataBytes} bytes of data`, { file: path });
  }
}

function storedTensor(file: RandomAccessFile, name: string, entry: CheckedEntry, dataStart: number): StoredTensor {
  const { dtype, shape, length, begin, end } = entry;
  const place = { file: file.path, key: name };
  return {
    name,
    shape,
    dtype,
    byteLength: end - begin,
    place,
    readFloat32: () => plainDtypes[dtype].read(file, dataStart + begin, length, place),
    readFloat32Rows: () => readPlainRows(file, dtype, shape, dataStart + begin, place),
  };
}

/** As the reference writer orders tensors, by falling alignment. */
const dtypeOrder: FloatDtype[] = ['F32', 'BF16', 'F16'];
/** What Python's loaders ask for. */
const PYTORCH = { format: 'pt' };

/**
 * Writes the file atomically. Tensors are in the reference writer's order, by dtype and then by name. Only one tensor's
 * data is asked for at a time.
 * @throws InputError where the disk is full; a file that was there before is then unchanged.
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

/** The same for float32 tensors by name, each read from its device when its turn comes. */
export async function writeDeviceTensors(path: string, tensors: ReadonlyMap<string, DeviceTensor>): Promise<void> {
  const entries = [...tensors].map(([name, tensor]) => ({ name, shape: tensor.shape, dtype: 'F32' as const, tensor }));
  const { prefix, sorted } = layOut(path, entries, PYTORCH);
  await streamFileAtomically(path, async append => {
    append(prefix);
    for (const { tensor, ...entry } of sorted) append(encodeValues(entry, (await tensor.data()) as Float32Array));
  });
}

/** The file's beginning, and its tensors in order. */
function layOut<Entry extends Omit<TensorEntry, 'data'>>(
  path: string,
  entries: Iterable<Entry>,
  metadata: Record<string, string>,
): { prefix: Buffer; sorted: Entry[] } {
  const sorted = [...entries].toSorted(
    (a, b) => dtypeOrder.indexOf(a.dtype) - dtypeOrder.indexOf(b.dtype) || compareBytes(a.name, b.name),
  );
  const header: Record<string, unknown> = { [metadataKey]: metadata };
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
