// Dataset files that are text, as UTF-8 at any position. Those in UTF-16 or compressed with gzip are decoded to a temporary file first,
// in one pass; files that only have the name of a text are refused with what they are.
import { createHash } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { InputError } from '../core/inputError.js';
import { DataFile } from './dataFile.js';

const BLOCK_BYTES = 1 << 20;
/** Limit for what a compressed file becomes: text rarely shrinks to less than a hundredth, so the rest is a mistake or a trap. */
const DECODED_BYTES = { least: 2 ** 30, perByte: 100 };

type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be';

/**
 * @param file is closed with the one returned, and in case of an error
 * @param limit bytes of text that are needed; a decoded file ends there
 * @param most bytes that the text of a compressed file may have
 * @throws InputError if the file is not text, is damaged, or there is no space for its text
 */
export async function textFile(
  file: DataFile,
  limit = Infinity,
  most = Math.max(DECODED_BYTES.least, file.size * DECODED_BYTES.perByte),
): Promise<DataFile> {
  try {
    const beginning = await file.read(Buffer.alloc(4096), 0);
    const isGzip = beginning[0] === 0x1f && beginning[1] === 0x8b;
    if (!isGzip) checkIsText(beginning, file.path);
    if (!isGzip && encodingOf(beginning) === 'utf-8') return file;
    const decoded = await decodedCopy(file, isGzip, { limit, most });
    await file.close();
    return decoded;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** By the byte order mark; without one, each ASCII character in UTF-16 has a zero byte. */
function encodingOf([first, second]: Buffer): Encoding {
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0)) return 'utf-16le';
  if ((first === 0xfe && second === 0xff) || (first === 0 && second !== undefined)) return 'utf-16be';
  return 'utf-8';
}

const KINDS: readonly { begins: string; what: string; hint: string }[] = [
  { begins: 'PAR1', what: 'a Parquet file', hint: 'Rename it to .parquet.' },
  { begins: 'PK\u0003\u0004', what: 'a ZIP archive', hint: 'Unpack it.' },
  { begins: 'BZh', what: 'compressed with bzip2', hint: 'Unpack it, or compress it with gzip.' },
  { begins: '\xfd7zXZ\u0000', what: 'compressed with xz', hint: 'Unpack it, or compress it with gzip.' },
  { begins: '\x28\xb5\x2f\xfd', what: 'compressed with Zstandard', hint: 'Unpack it, or compress it with gzip.' },
  { begins: 'ARROW1', what: 'an Arrow file', hint: 'Save the dataset with to_parquet or to_json.' },
  { begins: 'SQLite format 3', what: 'an SQLite database', hint: 'Export the table as CSV.' },
  { begins: '%PDF-', what: 'a PDF document', hint: 'Extract its text.' },
  { begins: '\x89HDF', what: 'an HDF5 file', hint: 'Save the rows as JSON Lines.' },
  { begins: '\x80\u0004', what: 'a Python pickle', hint: 'Save the rows as JSON Lines.' },
];

/** @throws InputError naming what the file is */
export function checkIsText(beginning: Buffer, path: string): void {
  const start = beginning.toString('latin1');
  const kind = KINDS.find(({ begins }) => start.startsWith(begins)) ?? placeholder(start);
  if (kind) throw new InputError(`the file is ${kind.what}, not rows`, { file: path, hint: kind.hint });
}

/** What downloads leave in place of a dataset. */
function placeholder(start: string): { what: string; hint: string } | null {
  if (start.startsWith('version https://git-lfs.github.com/spec/'))
    return {
      what: 'a Git LFS pointer',
      hint: 'It only names the dataset: fetch the file itself with "git lfs pull", or download it.',
    };
  if (/^(\xef\xbb\xbf)?\s*<(!doctype html|html|head|body|\?xml)/i.test(start))
    return {
      what: 'an HTML or XML page',
      hint: 'A download may have saved a page about the dataset, or one that asks to log in: download the file itself.',
    };
  return null;
}

async function decodedCopy(
  file: DataFile,
  isGzip: boolean,
  { limit, most }: { limit: number; most: number },
): Promise<DataFile> {
  const folder = await mkdtemp(join(tmpdir(), 'tunewright-text-'));
  const handle = await open(join(folder, 'decoded'), 'w+');
  try {
    // Nothing is left behind by a process that is killed, except on Windows, where an open file can't be removed.
    await rm(folder, { recursive: true, force: true }).catch(() => {});
    const hash = createHash('sha256');
    const bytes = blocksOf(file, hash);
    let written = 0;
    for await (const text of decoded(isGzip ? unzipped(bytes, file.path) : bytes, file.path)) {
      const part = text.subarray(0, limit - written);
      await handle.writeFile(part);
      written += part.length;
      if (written >= limit) break;
      if (written > most)
        throw new InputError(`the file unpacks to more than ${Math.floor(most / 2 ** 20)} MB`, {
          file: file.path,
          hint: 'Unpack it, and use a part of it.',
        });
    }
    return await DataFile.of(handle, file.path, {
      folder,
      originalHash: limit === Infinity ? hash.digest('hex') : null,
    });
  } catch (error) {
    await handle.close();
    await rm(folder, { recursive: true, force: true });
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    throw new InputError(`there is no space in ${tmpdir()} for the text of the file`, {
      file: file.path,
      hint: 'Free some space, or set TMPDIR to a folder with more.',
    });
  }
}

async function* blocksOf(file: DataFile, hash: { update(bytes: Buffer): void }): AsyncGenerator<Buffer> {
  for (let at = 0; at < file.size; at += BLOCK_BYTES) {
    const block = await file.read(Buffer.allocUnsafe(BLOCK_BYTES), at);
    hash.update(block);
    yield block;
  }
}

async function* unzipped(blocks: AsyncIterable<Buffer>, path: string): AsyncGenerator<Buffer> {
  const gunzip = createGunzip();
  const source = Readable.from(blocks, { objectMode: false });
  source.on('error', error => gunzip.destroy(error));
  try {
    yield* source.pipe(gunzip) as AsyncIterable<Buffer>;
  } catch (error) {
    if (!(error as NodeJS.ErrnoException).code?.startsWith('Z_')) throw error;
    throw new InputError(`the gzip file can't be unpacked: ${(error as Error).message}`, {
      file: path,
      hint: 'It may be truncated: copy or download it again.',
    });
  } finally {
    source.destroy();
  }
}

/** As UTF-8. Bytes that are invalid in UTF-8 are passed on, since they are an error of their row only. */
async function* decoded(blocks: AsyncIterable<Buffer>, path: string): AsyncGenerator<Buffer> {
  let decoder: InstanceType<typeof TextDecoder> | null = null;
  let isFirst = true;
  for await (const block of blocks) {
    if (isFirst) {
      checkIsText(block, path);
      const encoding = encodingOf(block);
      if (encoding !== 'utf-8') decoder = new TextDecoder(encoding);
    }
    isFirst = false;
    yield decoder ? Buffer.from(decoder.decode(block, { stream: true })) : block;
  }
  if (decoder) yield Buffer.from(decoder.decode());
}
