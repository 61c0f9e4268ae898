// TensorBoard's event files: records of TensorFlow's TFRecord format, each an Event message of tensorflow/core/util/event.proto with
// one scalar. https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/lib/io/record_writer.h
import { join } from 'node:path';
import { makeFolder } from '../../system/makeFolder.js';
import { append } from '../../system/regularFile.js';

export class EventFile {
  private readonly path: string;

  /**
   * Begins a file in the folder, which is made if it is missing; one of the same second is continued.
   * @param seconds since 1970
   * @throws InputError if the file can't be written to; NodeJS.ErrnoException as for a full disk
   */
  constructor(folder: string, seconds = Date.now() / 1000) {
    makeFolder(folder);
    // TensorBoard looks for `tfevents` in the name; TensorFlow puts the machine's name at the end.
    this.path = join(folder, `events.out.tfevents.${String(Math.floor(seconds)).padStart(10, '0')}.tunewright`);
    append(this.path, record(versionEvent(seconds)));
  }

  /** @throws InputError if the file can't be written to; NodeJS.ErrnoException as for a full disk */
  scalars(values: Readonly<Record<string, number>>, step: number, seconds = Date.now() / 1000): void {
    const events = Object.entries(values).map(([tag, value]) => record(scalarEvent(tag, value, step, seconds)));
    append(this.path, Buffer.concat(events));
  }
}

/** Event { wall_time = 1, file_version = 3 } */
function versionEvent(seconds: number): Buffer {
  return Buffer.concat([double(1, seconds), bytes(3, Buffer.from('brain.Event:2'))]);
}

/** Event { wall_time = 1, step = 2, summary = 5 { value = 1 { tag = 1, simple_value = 2 } } } */
function scalarEvent(tag: string, value: number, step: number, seconds: number): Buffer {
  const scalar = Buffer.alloc(5);
  scalar[0] = (2 << 3) | FIXED32;
  scalar.writeFloatLE(value, 1);
  const summary = bytes(1, Buffer.concat([bytes(1, Buffer.from(tag)), scalar]));
  return Buffer.concat([double(1, seconds), Buffer.of(2 << 3), varint(step), bytes(5, summary)]);
}

/** Types of fields on the wire. https://protobuf.dev/programming-guides/encoding/ */
const [FIXED64, LENGTH, FIXED32] = [1, 2, 5] as const;

function double(field: number, value: number): Buffer {
  const encoded = Buffer.alloc(9);
  encoded[0] = (field << 3) | FIXED64;
  encoded.writeDoubleLE(value, 1);
  return encoded;
}

function bytes(field: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.of((field << 3) | LENGTH), varint(content.length), content]);
}

function varint(value: number): Buffer {
  const encoded: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) encoded.push((value % 128) | 128);
  return Buffer.from([...encoded, value]);
}

/** Length, its checksum, data, their checksum. */
function record(data: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeUInt32LE(data.length);
  return Buffer.concat([length, maskedCrc(length), data, maskedCrc(data)]);
}

/** Rotated and shifted, so that the checksum of data that contains checksums isn't always the same. */
function maskedCrc(data: Buffer): Buffer {
  const crc = crc32c(data);
  const masked = Buffer.alloc(4);
  masked.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0);
  return masked;
}

/** CRC-32C (Castagnoli), which Node's zlib doesn't have. */
export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
