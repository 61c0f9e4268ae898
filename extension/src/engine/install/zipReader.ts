// Reads a zip file sequentially, as its bytes arrive from the network: stored and deflated files, zip64, data descriptors. Called by
// wheelArchive.ts. Sizes and checksums are verified.
// Facts: PKWARE's APPNOTE.TXT, 4.3 to 4.5
import { crc32, createInflateRaw } from 'node:zlib';
import { SourceError } from './sourceError.js';

export interface ZipMember {
  name: string;
  /** Bytes of the content; null if the size is only stored after it. */
  size: number | null;
  /** The content, checked while it is read; may be read at most once. */
  content: () => AsyncGenerator<Buffer>;
}

const LOCAL_HEADER = 0x04034b50;
const DESCRIPTOR = 0x08074b50;
const CENTRAL_HEADER = 0x02014b50;
const END_RECORDS = [0x06054b50, 0x06064b50];
const ZIP64_SIZES = 0xffffffff;

/**
 * Calls `onMember` for each file in order, and returns the Unix modes by name, which are at the end of a zip file. Reads `source` to
 * its end.
 * @throws SourceError if it is not a zip file, truncated or damaged, or uses features that wheels don't use
 */
export async function readZip(
  source: AsyncIterable<Buffer>,
  onMember: (member: ZipMember) => Promise<void>,
): Promise<Map<string, number>> {
  const bytes = new ByteReader(source);
  const checksums = new Map<string, number>();
  try {
    let signature = (await bytes.take(4)).readUInt32LE();
    if (signature !== LOCAL_HEADER) throw new SourceError('this is not a zip file');
    for (; signature === LOCAL_HEADER; signature = (await bytes.take(4)).readUInt32LE()) {
      const { member, checksum, skip } = await readMember(bytes);
      if (checksums.has(member.name)) throw damaged(`it contains ${member.name} twice`);
      let opened = false;
      const content = member.content;
      await onMember({ ...member, content: () => ((opened = true), content()) });
      if (!opened) for await (const chunk of skip()) void chunk;
      checksums.set(member.name, checksum());
    }
    const modes = await readCentralDirectory(bytes, signature, checksums);
    await bytes.drain();
    return modes;
  } finally {
    await bytes.close();
  }
}

interface ReadMember {
  member: ZipMember;
  /** Skips the content. */
  skip: () => AsyncGenerator<Buffer>;
  /** CRC-32; only valid after the content has been read or skipped. */
  checksum: () => number;
}

/** Reads the header of a file. */
async function readMember(bytes: ByteReader): Promise<ReadMember> {
  const header = await bytes.take(26);
  const [flags, method] = [header.readUInt16LE(2), header.readUInt16LE(4)];
  const name = (await bytes.take(header.readUInt16LE(22))).toString('utf8');
  const zip64 = zip64Sizes(await bytes.take(header.readUInt16LE(24)));
  const isZip64 = header.readUInt32LE(18) === ZIP64_SIZES && zip64 !== null;
  if (flags & 1) throw damaged(`${name} is encrypted`);
  if (method !== 0 && method !== 8) throw damaged(`${name} is compressed with method ${method}`);
  const follows = (flags & 8) !== 0;
  if (follows && method === 0) throw damaged(`the size of ${name} is missing`);

  let declared = {
    crc: header.readUInt32LE(10),
    packed: isZip64 ? zip64.packed : header.readUInt32LE(14),
    size: isZip64 ? zip64.size : header.readUInt32LE(18),
  };
  const found = { crc: 0, packed: 0, size: 0 };
  async function* content(): AsyncGenerator<Buffer> {
    const start = bytes.position;
    for await (const chunk of method === 0 ? bytes.chunks(declared.packed) : inflate(bytes)) {
      found.size += chunk.length;
      if (!follows && found.size > declared.size) throw damaged(`${name} is longer than declared`);
      found.crc = crc32(chunk, found.crc);
      yield chunk;
    }
    found.packed = bytes.position - start;
    if (follows) declared = await readDescriptor(bytes, zip64 !== null);
    if (found.crc !== declared.crc || found.packed !== declared.packed || found.size !== declared.size)
      throw damaged(`the content of ${name} does not match its size or checksum`);
  }
  return {
    member: { name, size: follows ? null : declared.size, content },
    skip: follows ? content : () => bytes.chunks(declared.packed),
    checksum: () => declared.crc,
  };
}

/** The 64-bit sizes in the extra fields of a local header, or null. */
function zip64Sizes(extra: Buffer): { packed: number; size: number } | null {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2))
    if (extra.readUInt16LE(at) === 1 && at + 20 <= extra.length)
      return { size: Number(extra.readBigUInt64LE(at + 4)), packed: Number(extra.readBigUInt64LE(at + 12)) };
  return null;
}

/** Reads sizes and checksum after a file, with or without a signature. */
async function readDescriptor(bytes: ByteReader, isZip64: boolean) {
  let crc = (await bytes.take(4)).readUInt32LE();
  if (crc === DESCRIPTOR) crc = (await bytes.take(4)).readUInt32LE();
  const sizes = await bytes.take(isZip64 ? 16 : 8);
  return isZip64
    ? { crc, packed: Number(sizes.readBigUInt64LE()), size: Number(sizes.readBigUInt64LE(8)) }
    : { crc, packed: sizes.readUInt32LE(), size: sizes.readUInt32LE(4) };
}

/** Reads the list at the end, which must name exactly the files that were read. */
async function readCentralDirectory(
  bytes: ByteReader,
  first: number,
  checksums: ReadonlyMap<string, number>,
): Promise<Map<string, number>> {
  const modes = new Map<string, number>();
  let signature = first;
  for (; signature === CENTRAL_HEADER; signature = (await bytes.take(4)).readUInt32LE()) {
    const header = await bytes.take(42);
    const name = (await bytes.take(header.readUInt16LE(24))).toString('utf8');
    await bytes.take(header.readUInt16LE(26) + header.readUInt16LE(28));
    if (checksums.get(name) !== header.readUInt32LE(12)) throw damaged(`the central directory does not match ${name}`);
    modes.set(name, header.readUInt32LE(34) >>> 16);
  }
  if (!END_RECORDS.includes(signature) || modes.size !== checksums.size)
    throw damaged('the central directory does not match its files');
  return modes;
}

/** The end of a deflated stream is in the stream itself; bytes read beyond it are put back. */
async function* inflate(bytes: ByteReader): AsyncGenerator<Buffer> {
  const inflater = createInflateRaw();
  const inflated: Buffer[] = [];
  inflater.on('data', chunk => inflated.push(chunk));
  try {
    for (let fed = 0; inflater.bytesWritten === fed;) {
      const chunk = await bytes.some();
      fed += chunk.length;
      await new Promise<void>((resolve, reject) => {
        inflater.once('error', reject);
        inflater.write(chunk, () => resolve());
      }).catch(error => {
        throw damaged(`decompression failed (${error.message})`);
      });
      inflater.removeAllListeners('error');
      yield* inflated.splice(0);
      bytes.putBack(chunk.subarray(chunk.length - (fed - inflater.bytesWritten)));
    }
  } finally {
    inflater.on('error', () => {}).destroy();
  }
}

function damaged(what: string): SourceError {
  return new SourceError(`the zip file is damaged or not supported: ${what}`);
}

/** Reads pieces of any length from chunks of any length. */
class ByteReader {
  /** Bytes read so far. */
  position = 0;
  private rest: Buffer = Buffer.alloc(0);
  private readonly source: AsyncIterator<Buffer>;

  constructor(source: AsyncIterable<Buffer>) {
    this.source = source[Symbol.asyncIterator]();
  }

  /** The next bytes, at least one. */
  async some(): Promise<Buffer> {
    const chunk = await this.next();
    if (chunk === null) throw new SourceError('the zip file is truncated');
    return chunk;
  }

  putBack(chunk: Buffer): void {
    this.position -= chunk.length;
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([chunk, this.rest]);
  }

  async take(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.chunks(length)) parts.push(part);
    return Buffer.concat(parts);
  }

  async *chunks(length: number): AsyncGenerator<Buffer> {
    for (let left = length; left > 0;) {
      const chunk = await this.some();
      if (chunk.length > left) this.putBack(chunk.subarray(left));
      yield chunk.subarray(0, left);
      left -= Math.min(left, chunk.length);
    }
  }

  async drain(): Promise<void> {
    while ((await this.next()) !== null);
  }

  async close(): Promise<void> {
    await this.source.return?.();
  }

  private async next(): Promise<Buffer | null> {
    let chunk = this.rest;
    this.rest = Buffer.alloc(0);
    while (chunk.length === 0) {
      const { value, done } = await this.source.next();
      if (done) return null;
      chunk = value;
    }
    this.position += chunk.length;
    return chunk;
  }
}
