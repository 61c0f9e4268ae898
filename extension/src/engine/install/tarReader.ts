// Reads the files of a tar archive, one after the other. For archives whose hash is known: it doesn't look for what is malicious, and
// reads no names of more than 100 characters.
import { SourceError } from './sourceError.js';

const BLOCK = 512;
/** Types of entries: `0`, or nothing in old archives. */
const REGULAR = [0x30, 0];

export interface TarEntry {
  name: string;
  size: number;
  /** Must be read before the next entry is asked for; what isn't read is skipped. */
  content: AsyncIterable<Buffer>;
}

/** Regular files only. @throws SourceError if the archive ends too early or isn't one */
export async function* readTar(source: AsyncIterable<Buffer>): AsyncGenerator<TarEntry> {
  const chunks = source[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);

  /** The next bytes, at most `most`. */
  const take = async (most: number): Promise<Buffer> => {
    while (rest.length === 0) {
      const { value, done } = await chunks.next();
      if (done) throw new SourceError('the archive ends too early');
      rest = value;
    }
    const taken = rest.subarray(0, most);
    rest = rest.subarray(most);
    return taken;
  };
  const takeBlock = async (): Promise<Buffer> => {
    const parts = [];
    for (let missing = BLOCK; missing > 0;) {
      const part = await take(missing);
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  };

  for (;;) {
    const header = await takeBlock();
    if (header.every(byte => byte === 0)) return;
    const text = (start: number, length: number) => header.toString('latin1', start, start + length).split('\0')[0]!;
    const octal = (start: number, length: number) => parseInt(text(start, length).trim(), 8);
    const size = octal(124, 12);
    if (sumOf(header) !== octal(148, 8) || !(size >= 0)) throw new SourceError('the archive is damaged');
    let missing = size;
    const content = (async function* () {
      while (missing > 0) {
        const chunk = await take(missing);
        missing -= chunk.length;
        yield chunk;
      }
    })();
    if (REGULAR.includes(header[156]!)) yield { name: text(0, 100), size, content };
    for await (const _ of content);
    for (let padding = (BLOCK - (size % BLOCK)) % BLOCK; padding > 0;) padding -= (await take(padding)).length;
  }
}

/** Of all bytes, those of the sum itself as spaces. */
function sumOf(header: Buffer): number {
  return header.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 32 : byte), 0);
}
