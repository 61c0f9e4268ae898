// Makes small zip files for tests, in all variants that a wheel may have.
import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipEntry {
  name: string;
  content: string | Buffer;
  /** Unix mode; 0o644 by default. */
  mode?: number;
  /** Not compressed. */
  stored?: boolean;
  /** Sizes and checksum after the content, as written by a program that can't seek. */
  descriptor?: 'plain' | 'signed';
  /** Sizes in 64 bits. */
  zip64?: boolean;
  /** Wrong values in the local header. */
  lie?: { crc?: number; size?: number };
}

export function makeZip(entries: readonly ZipEntry[]): Buffer {
  const parts: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  const push = (...buffers: Buffer[]) => {
    for (const buffer of buffers) {
      parts.push(buffer);
      offset += buffer.length;
    }
  };
  for (const { name, content, mode = 0o644, stored = false, descriptor, zip64 = false, lie = {} } of entries) {
    const plain = Buffer.from(content);
    const packed = stored ? plain : deflateRawSync(plain);
    const [crc, size] = [lie.crc ?? crc32(plain), lie.size ?? plain.length];
    const start = offset;
    const common = Buffer.alloc(22);
    common.writeUInt16LE(descriptor ? 8 : 0, 2);
    common.writeUInt16LE(stored ? 0 : 8, 4);
    if (!descriptor) {
      common.writeUInt32LE(crc, 10);
      common.writeUInt32LE(zip64 ? 0xffffffff : packed.length, 14);
      common.writeUInt32LE(zip64 ? 0xffffffff : size, 18);
    }
    const extra = Buffer.alloc(zip64 ? 20 : 0);
    if (zip64) {
      extra.writeUInt16LE(1);
      extra.writeUInt16LE(16, 2);
      extra.writeBigUInt64LE(BigInt(size), 4);
      extra.writeBigUInt64LE(BigInt(packed.length), 12);
    }
    push(u32(0x04034b50), common, u16(Buffer.byteLength(name)), u16(extra.length), Buffer.from(name), extra, packed);
    if (descriptor) {
      push(...(descriptor === 'signed' ? [u32(0x08074b50)] : []), u32(crc));
      push(...(zip64 ? [u64(packed.length), u64(size)] : [u32(packed.length), u32(size)]));
    }
    const header = Buffer.alloc(46);
    header.writeUInt32LE(0x02014b50);
    header.writeUInt32LE(crc, 16);
    header.writeUInt32LE(zip64 ? 0xffffffff : packed.length, 20);
    header.writeUInt32LE(zip64 ? 0xffffffff : size, 24);
    header.writeUInt16LE(Buffer.byteLength(name), 28);
    header.writeUInt32LE(((0o100000 | mode) << 16) >>> 0, 38);
    header.writeUInt32LE(start, 42);
    central.push(header, Buffer.from(name));
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, directory, end]);
}

function u16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeUInt16LE(value);
  return buffer;
}

function u32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}

function u64(value: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer;
}
