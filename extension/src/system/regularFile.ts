// Opens files whose names come from a workspace, a model folder or a run folder: only regular files, at most as many bytes as they
// have. Used by engine, rows and host for every such file, so that a named pipe, a device or an endless link is an error, not a hang.
import {
  closeSync,
  constants,
  createReadStream,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  writeSync,
  type ReadStream,
  type Stats,
} from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { InputError } from '../core/inputError.js';
import { isFolder, isLink } from './fileStat.js';
import { fileMode } from './privateFolder.js';

/** `follow`: a link to a regular file is followed, as in the Hugging Face cache. `refuse`: for files of a run folder, which are never links. */
export type Links = 'follow' | 'refuse';

export interface OpenedFile {
  /** Closed by the caller. */
  readonly descriptor: number;
  /** In bytes, when it was opened. */
  readonly size: number;
}

/** tokenizer.json of the largest vocabularies has about 35 MB; a renamed weight file must not be read into memory. */
const MAX_BYTES = 256 * 1024 * 1024;

/** The largest chat templates that models have are of 30 kB. */
export const MAX_TEMPLATE_BYTES = 1 << 20;

/** Node rejects single reads of 2 GiB and more. */
const MAX_READ_BYTES = 1 << 30;

// Without O_NONBLOCK, opening a named pipe waits for its other end. Windows has neither flag.
const { O_NONBLOCK = 0, O_NOFOLLOW = 0, O_RDONLY, O_WRONLY, O_CREAT, O_APPEND, O_EXCL } = constants;
const FLAGS = {
  read: O_RDONLY,
  append: O_WRONLY | O_CREAT | O_APPEND,
  write: O_WRONLY | O_CREAT,
  create: O_WRONLY | O_CREAT | O_EXCL,
};

export type Access = keyof typeof FLAGS;

/** @throws InputError for a path that is missing, can't be opened, is not a regular file, or is a link where that is refused */
export function openRegularFile(path: string, links: Links = 'follow', access: Access = 'read'): OpenedFile {
  const file = openIfPresent(path, links, access);
  if (!file) throw new InputError('the file does not exist', { file: path });
  return file;
}

/** The same for reading asynchronously; links are followed. The handle is closed by the caller. */
export async function openRegularHandle(path: string): Promise<FileHandle> {
  const handle = await open(path, FLAGS.read | O_NONBLOCK).catch((error: unknown) => {
    throw faultOf(error, path, 'read') ?? new InputError('the file does not exist', { file: path });
  });
  const stat = await handle.stat();
  if (stat.isFile()) return handle;
  await handle.close();
  throw notAFile(path, kindOf(stat));
}

/** The content as a stream, which closes the file. @throws InputError as `openRegularFile` */
export function streamOf(path: string, options: { end?: number; highWaterMark?: number } = {}): ReadStream {
  return createReadStream('', { fd: openRegularFile(path).descriptor, start: 0, ...options });
}

/** As `openRegularFile`; null if there is no file. */
function openIfPresent(path: string, links: Links, access: Access): OpenedFile | null {
  const descriptor = openWithoutWaiting(path, links, access);
  if (descriptor === null) return null;
  const stat = fstatSync(descriptor);
  if (stat.isFile()) return { descriptor, size: stat.size };
  closeSync(descriptor);
  throw notAFile(path, kindOf(stat));
}

/**
 * The size of a regular file; null for anything else, also for a link where that is refused.
 */
export function regularFileSize(path: string, links: Links): number | null {
  try {
    const { descriptor, size } = openRegularFile(path, links);
    closeSync(descriptor);
    return size;
  } catch {
    return null;
  }
}

/**
 * The whole content; null if the file doesn't exist.
 * @throws InputError as `openRegularFile`, and for a file of more than `maxBytes`
 */
export function readBytes(path: string, links: Links = 'follow', maxBytes = MAX_BYTES): Buffer | null {
  const file = openIfPresent(path, links, 'read');
  if (!file) return null;
  const { descriptor, size } = file;
  try {
    if (size > maxBytes) throw new InputError(`the file is too large (${size} bytes)`, { file: path });
    return readRange(descriptor, 0, size);
  } finally {
    closeSync(descriptor);
  }
}

/** The content as text. @throws InputError as `readBytes`, and for a file that isn't UTF-8 */
export function readText(path: string, links: Links = 'follow', maxBytes = MAX_BYTES): string | null {
  const bytes = readBytes(path, links, maxBytes);
  if (bytes === null) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InputError('the file is not UTF-8', { file: path, hint: 'Save it as UTF-8.' });
  }
}

/** The bytes from `from` to `to`; fewer if the file has become shorter. Never reads further, whatever the file has grown to. */
export function readRange(descriptor: number, from: number, to: number): Buffer {
  const bytes = Buffer.allocUnsafe(to - from);
  let done = 0;
  while (done < bytes.length) {
    const count = Math.min(bytes.length - done, MAX_READ_BYTES);
    const got = readSync(descriptor, bytes, done, count, from + done);
    if (got === 0) break;
    done += got;
  }
  return bytes.subarray(0, done);
}

/** Appends a line, by default to a file of a run folder. @throws InputError as `openRegularFile` */
export function appendLine(path: string, line: string, links: Links = 'refuse'): void {
  append(path, `${line}\n`, links);
}

/** Appends to a file of a run folder, which is made if it is missing. @throws InputError as `openRegularFile` */
export function append(path: string, content: string | Uint8Array, links: Links = 'refuse'): void {
  withDescriptor(openRegularFile(path, links, 'append'), ({ descriptor }) => writeAll(descriptor, content));
}

/**
 * Writes a whole file in place.
 * @param access `create` if it must not exist yet
 * @throws InputError as `openRegularFile`; NodeJS.ErrnoException EEXIST, or as for a full disk
 */
export function writeWhole(path: string, content: string | Uint8Array, links: Links, access: 'write' | 'create'): void {
  withDescriptor(openRegularFile(path, links, access), ({ descriptor }) => {
    ftruncateSync(descriptor);
    writeAll(descriptor, content);
  });
}

function openWithoutWaiting(path: string, links: Links, access: Access): number | null {
  const refused = links === 'refuse';
  // Where there is no flag for it, a link is recognised beforehand.
  if (refused && O_NOFOLLOW === 0 && isLink(path)) throw isALink(path);
  try {
    return openSync(path, FLAGS[access] | O_NONBLOCK | (refused ? O_NOFOLLOW : 0), fileMode(path));
  } catch (error) {
    if (refused && isLink(path)) throw isALink(path);
    const fault = faultOf(error, path, access);
    if (fault === null) return null;
    throw fault;
  }
}

/** What to throw for a file that can't be opened; null if there is none. */
function faultOf(error: unknown, path: string, access: Access): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (access === 'read' && (code === 'ENOENT' || code === 'ENOTDIR')) return null;
  // A socket, or a named pipe that is to be written to and has no reader; a folder that is to be written to.
  if (code === 'ENXIO' || code === 'EISDIR') return notAFile(path, code === 'EISDIR' ? 'a folder' : 'a pipe or socket');
  return access === 'read' ? new InputError(`the file can't be opened (${code})`, { file: path }) : error;
}

function notAFile(path: string, kind: string): InputError {
  return new InputError(`this is not a file but ${kind}`, { file: path });
}

function isALink(path: string): InputError {
  return new InputError('this is a symbolic link, which the files of a run folder must not be', {
    file: path,
    hint: 'Put the file itself there.',
  });
}

function kindOf(stat: Stats): string {
  if (stat.isDirectory()) return 'a folder';
  if (stat.isFIFO()) return 'a named pipe';
  return stat.isSocket() ? 'a socket' : 'a device';
}

function withDescriptor(file: OpenedFile, use: (file: OpenedFile) => void): void {
  try {
    use(file);
  } finally {
    closeSync(file.descriptor);
  }
}

function writeAll(descriptor: number, content: string | Uint8Array): void {
  const bytes = Buffer.from(content);
  for (let done = 0; done < bytes.length;) done += writeSync(descriptor, bytes, done);
}

/** The names of what is in a folder, sorted; none if there is no such folder. */
export function namesIn(folder: string): string[] {
  return isFolder(folder) ? readdirSync(folder).toSorted() : [];
}
