import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readZip } from '../../../../extension/src/engine/install/zipReader.js';
import { makeZip, type ZipEntry } from '../../../support/zipFile.js';

async function* inPieces(bytes: Buffer, length: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

interface ReadOptions {
  length?: number;
  wanted?: (name: string) => boolean;
}

async function read(zip: Buffer, { length = 1000, wanted = () => true }: ReadOptions = {}) {
  const contents: Record<string, string> = {};
  const modes = await readZip(inPieces(zip, length), async ({ name, content }) => {
    if (!wanted(name)) return;
    const chunks: Buffer[] = [];
    for await (const chunk of content()) chunks.push(chunk);
    contents[name] = Buffer.concat(chunks).toString();
  });
  return { contents, modes };
}

const long = Array.from({ length: 20_000 }, (_, at) => `line ${at * 7919}`).join('\n');
const ways: [string, Partial<ZipEntry>][] = [
  ['deflated', {}],
  ['stored', { stored: true }],
  ['zip64', { zip64: true }],
  ['stored zip64', { zip64: true, stored: true }],
  ['followed by sizes', { descriptor: 'plain' }],
  ['followed by signed sizes', { descriptor: 'signed' }],
  ['followed by zip64 sizes', { descriptor: 'signed', zip64: true }],
];

describe('readZip', () => {
  it.each(ways)('reads files that are %s, in pieces of any size', async (_way, more) => {
    const zip = makeZip([
      { name: 'a/long', content: long, ...more },
      { name: 'empty', content: '', ...more },
      { name: 'run', content: 'x', mode: 0o755, ...more },
    ]);
    for (const length of [97, 1000, zip.length]) {
      const { contents, modes } = await read(zip, { length });
      expect(contents, `pieces of ${length}`).toEqual({ 'a/long': long, empty: '', run: 'x' });
      expect(modes.get('run')! & 0o777).toBe(0o755);
    }
    expect((await read(zip, { wanted: name => name === 'run' })).contents).toEqual({ run: 'x' });
    const short = makeZip([{ name: 'short', content: 'words words words', ...more }]);
    expect((await read(short, { length: 1 })).contents).toEqual({ short: 'words words words' });
  });

  const entry: ZipEntry = { name: 'file', content: long };
  const bytes = makeZip([entry]);
  const changed = (at: number, value: number) => {
    const copy = Buffer.from(bytes);
    copy[at] ^= value;
    return copy;
  };
  it.each([
    ['what is not a zip file', Buffer.from('<html>not found</html>'), /not a zip file/],
    ['an empty file', Buffer.alloc(0), /truncated/],
    ['a file that is truncated in its content', bytes.subarray(0, 500), /truncated/],
    ['a file without its central directory', bytes.subarray(0, bytes.length - 22 - 50), /truncated/],
    ['a wrong checksum', makeZip([{ ...entry, lie: { crc: crc32('x') } }]), /file does not match its size or checksum/],
    ['more content than its size', makeZip([{ ...entry, lie: { size: 10 } }]), /file is longer than declared/],
    ['less content than its size', makeZip([{ ...entry, lie: { size: 1e6 } }]), /file does not match its size/],
    ['a stored file of unknown length', makeZip([{ ...entry, stored: true, descriptor: 'plain' }]), /size of file/],
    ['a file twice', makeZip([entry, entry]), /file twice/],
    ['a central directory with another file', changed(bytes.length - 23, 1), /does not match fild/],
    ['an encrypted file', changed(6, 1), /encrypted/],
    ['another method', changed(8, 1), /compressed with method 9/],
    ['damaged deflate', changed(200, 0xff), /decompression failed|does not match/],
  ])('rejects %s', async (_what, zip, message) => {
    await expect(read(zip)).rejects.toThrow(message);
  });
});
