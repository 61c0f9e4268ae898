// Reads a zip file front to back, as its bytes come from the network: stored and deflated files, zip64, sizes that follow
// their file. Called by wheelArchive.ts. Never trusts a size, a name or a checksum: what is given was held against them.
// Facts: PKWARE's APPNOTE.TXT, 4.3 to 4.5
import { crc32, createInflateRaw } from 'node:zlib';
import { SourceError } from './sourceError.js';

export interface ZipMember {
  name: string;
  /** Bytes of the content, or null where they are only written behind it. */
  size: number | null;
  /** The content, checked while it goes through; may be read once or not at all. */
  content: () => AsyncGenerator<Buffer>;
}

const LOCAL_HEADER = 0x04034b50;
const DESCRIPTOR = 0x08074b50;
const CENTRAL_HEADER = 0x02014b50;
const END_RECORDS = [0x06054b50, 0x06064b50];
const ZIP64_SIZES = 0xffffffff;

/**
 * Calls `onMember` for each file in order, and gives the Unix modes by name, which are at the end of a zip file. Reads
 * `source` to its end.
 * @throws SourceError where it is no zip file, cut short or damaged, or packed in a way that wheels aren't
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
      if (checksums.has(member.name)) throw damaged(`has ${member.name} twice`);
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
  /** Goes past the content. */
  skip: () => AsyncGenerator<Buffer>;
  /** CRC-32, to be asked for when the content was read or skipped. */
  checksum: () => number;
}

/** The header of one file. */
async function readMember(bytes: ByteReader): Promise<ReadMember> {
  const header = await bytes.take(26);
  const [flags, method] = [header.readUInt16LE(2), header.readUInt16LE(4)];
  const name = (await bytes.take(header.readUInt16LE(22))).toString('utf8');
  const zip64 = zip64Sizes(await bytes.take(header.readUInt16LE(24)));
  const isZip64 = header.readUInt32LE(18) === ZIP64_SIZES && zip64 !== null;
  if (flags & 1) throw damaged(`has ${name} encrypted`);
  if (method !== 0 && method !== 8) throw damaged(`has ${name} packed by method ${method}`);
  const follows = (flags & 8) !== 0;
  if (follows && method === 0) throw damaged(`doesn't say how long ${name} is`);

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
      if (!follows && found.size > declared.size) throw damaged(`has more of ${name} than it says`);
      found.crc = crc32(chunk, found.crc);
      yield chunk;
    }
    found.packed = bytes.position - start;
    if (follows) declared = await readDescriptor(bytes, zip64 !== null);
    if (found.crc !== declared.crc || found.packed !== declared.packed || found.size !== declared.size)
      throw damaged(`has other content in ${name} than it says`);
  }
  return {
    member: { name, size: follows ? null : declared.size, content },
    skip: follows ? content : () => bytes.chunks(declared.packed),
    checksum: () => declared.crc,
  };
}

/** What the extra fields of a local header say where 32 bits are too few, or null. */
function zip64Sizes(extra: Buffer): { packed: number; size: number } | null {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2))
    if (extra.readUInt16LE(at) === 1 && at + 20 <= extra.length)
      return { size: Number(extra.readBigUInt64LE(at + 4)), packed: Number(extra.readBigUInt64LE(at + 12)) };
  return null;
}

/** Sizes and checksum behind a file, with or without a signature. */
async function readDescriptor(bytes: ByteReader, isZip64: boolean) {
  let crc = (await bytes.take(4)).readUInt32LE();
  if (crc === DESCRIPTOR) crc = (await bytes.take(4)).readUInt32LE();
  const sizes = await bytes.take(isZip64 ? 16 : 8);
  return isZip64
    ? { crc, packed: Number(sizes.readBigUInt64LE()), size: Number(sizes.readBigUInt64LE(8)) }
    : { crc, packed: sizes.readUInt32LE(), size: sizes.readUInt32LE(4) };
}

/** The list at the end: has to name just the files that were read. */
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
    if (checksums.get(name) !== header.readUInt32LE(12)) throw damaged(`lists ${name} otherwise than it has it`);
    modes.set(name, header.readUInt32LE(34) >>> 16);
  }
  if (!END_RECORDS.includes(signature) || modes.size !== checksums.size) throw damaged('has another list than files');
  return modes;
}

/** A deflated stream ends by itself; what was read beyond it is put back. */
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
        throw damaged(`can't be unpacked (${error.message})`);
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
  return new SourceError(`the zip file is damaged or unusual: it ${what}`);
}

/** Pieces of any length from chunks of any length. */
class ByteReader {
  /** Bytes that were taken so far. */
  position = 0;
  private rest: Buffer = Buffer.alloc(0);
  private readonly source: AsyncIterator<Buffer>;

  constructor(source: AsyncIterable<Buffer>) {
    this.source = source[Symbol.asyncIterator]();
  }

  /** Whatever comes next, never nothing. */
  async some(): Promise<Buffer> {
    const chunk = await this.next();
    if (chunk === null) throw new SourceError('the zip file is cut short');
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
