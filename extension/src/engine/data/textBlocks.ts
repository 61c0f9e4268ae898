// A UTF-8 text file as blocks of whole lines, a megabyte at a time: what the readers of JSONL, JSON and CSV stand on.
// Checks the encoding as it goes, and never holds more than one block and one unfinished line.
import { open, type FileHandle } from 'node:fs/promises';
import { InputError } from '../../core/inputError.js';

const blockBytes = 1 << 20;
/** A file without line breaks must not end up in memory whole by way of its "line". */
const maxLineBytes = 64 << 20;

export interface TextBlock {
  /** Whole lines with their line breaks; the last line of the file may lack one. No byte order mark. */
  text: string;
  /** Number of the first line, from 1. */
  firstLine: number;
}

export interface ReadOptions {
  signal?: AbortSignal;
  /** Share of the file that has been read, 0 to 1. */
  onShare?: (share: number) => void;
}

/** @throws InputError for a missing file, UTF-16, bytes that are not UTF-8 (with the line), an endless line */
export async function* readTextBlocks(path: string, { signal, onShare }: ReadOptions = {}): AsyncGenerator<TextBlock> {
  const file = await openFile(path);
  try {
    const { size } = await file.stat();
    let firstLine = 1;
    let position = 0;
    /** The beginning of a line whose end is not read yet. */
    let begun: Buffer[] = [];
    let begunBytes = 0;
    for (;;) {
      signal?.throwIfAborted();
      const block = Buffer.allocUnsafe(blockBytes);
      const { bytesRead } = await file.read(block, 0, blockBytes, position);
      const bytes = block.subarray(0, bytesRead);
      if (position === 0) checkByteOrder(bytes, path);
      position += bytesRead;
      const end = bytes.lastIndexOf(0x0a) + 1;
      if (end > 0 || bytesRead === 0) {
        const lines = Buffer.concat([...begun, bytes.subarray(0, end)]);
        const text = decode(lines, firstLine, path);
        yield { text: firstLine === 1 ? withoutMark(text) : text, firstLine };
        if (bytesRead === 0) return;
        onShare?.(position / Math.max(1, size));
        firstLine += countLineBreaks(lines);
        begun = [];
        begunBytes = 0;
      }
      begun.push(bytes.subarray(end));
      begunBytes += bytesRead - end;
      if (begunBytes > maxLineBytes) {
        throw new InputError(`the line is longer than ${maxLineBytes >> 20} MB`, {
          where: `${path}:${firstLine}`,
          hint: 'Each row must stand on a line of its own (.jsonl); one JSON array of rows belongs into a .json file.',
        });
      }
    }
  } finally {
    await file.close();
  }
}

/** The whole file as one text; the caller has checked its size. @throws InputError as `readTextBlocks` */
export async function readWholeText(path: string, { signal, onShare }: ReadOptions = {}): Promise<string> {
  const file = await openFile(path);
  try {
    const bytes = await file.readFile({ signal });
    checkByteOrder(bytes, path);
    onShare?.(1);
    return withoutMark(decode(bytes, 1, path));
  } finally {
    await file.close();
  }
}

async function openFile(path: string): Promise<FileHandle> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    const missing = error.code === 'ENOENT';
    throw new InputError(missing ? 'there is no such file' : `the file can't be opened (${error.code})`, {
      where: path,
    });
  });
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new InputError('this is not a file', { where: path });
}

function withoutMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

function checkByteOrder(bytes: Buffer, path: string): void {
  const [first, second] = bytes;
  const isUtf16 = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  // Without a mark: ASCII characters in UTF-16 have a zero byte each.
  if (isUtf16 || (bytes.length > 1 && (first === 0 || second === 0))) {
    throw new InputError('the file is UTF-16, not UTF-8', { where: `${path}:1`, hint: 'Save it as UTF-8.' });
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decode(lines: Buffer, firstLine: number, path: string): string {
  try {
    return utf8.decode(lines);
  } catch {
    const line = firstLine + lineOfFirstError(lines);
    throw new InputError('the line is not valid UTF-8', { where: `${path}:${line}`, hint: 'Save the file as UTF-8.' });
  }
}

function lineOfFirstError(lines: Buffer): number {
  let start = 0;
  for (let line = 0; start < lines.length; line++) {
    const newline = lines.indexOf(0x0a, start);
    const end = newline < 0 ? lines.length : newline + 1;
    try {
      utf8.decode(lines.subarray(start, end));
    } catch {
      return line;
    }
    start = end;
  }
  return 0;
}

function countLineBreaks(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) count++;
  return count;
}
