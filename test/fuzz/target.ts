// The process of the fuzzer (fuzz.mjs) that reads damaged inputs one after the other, with the functions that engine and host read them
// with, and says of each what became of it. It is ended by fuzz.mjs if an input never ends.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CodedError } from '../../extension/src/core/codedError.js';
import { InputError } from '../../extension/src/core/inputError.js';
import { SourceError } from '../../extension/src/engine/install/sourceError.js';
import { ApiError } from '../../extension/src/engine/serve/apiError.js';
import { choiceOf, damaged } from './damage.js';
import { readersOf, type Original, type Reader } from './readers.js';

export interface Task {
  seed: number;
  /** Numbers of inputs. */
  from: number;
  until: number;
  /** Reads the originals first, which must all be readable. */
  isFirst: boolean;
  /** Confirms a suspicion: the process is fresh, and what is measured counts. */
  isAgain: boolean;
}

/** What a process reports: each input that it begins with, what became of one, the end of a task. */
export type Report =
  | { type: 'begun'; n: number }
  | { type: 'fault' | 'suspicious'; n: number; reader: string; file: string; message: string }
  | { type: 'done'; read: Record<string, number>; refused: Record<string, number> };

const MAX_CPU_MS = 2000;
const SPARE_BYTES = 64 << 20;
const BYTES_PER_BYTE = 20;

const [scratch, gguf, wheel, only] = process.argv.slice(2) as [string, string, string, string];
const readers = Object.entries(readersOf(gguf, readFileSync(wheel))).filter(([name]) => name.includes(only));

/** Folder with copies of what belongs to a file. */
const places = new Map<Original, string>();
function placeOf(original: Original): string {
  const known = places.get(original);
  if (known !== undefined) return known;
  const folder = join(scratch, `${process.pid}-${places.size}`);
  mkdirSync(folder, { recursive: true });
  if (original.folder) cpSync(original.folder, folder, { recursive: true });
  mkdirSync(dirname(join(folder, original.name)), { recursive: true });
  places.set(original, folder);
  return folder;
}

/** Path of the file that is damaged now: its undamaged bytes are written back before another is read. */
let damagedFile: { path: string; bytes: Buffer } | null = null;
function restoreAllBut(path: string): void {
  if (damagedFile && damagedFile.path !== path) {
    writeFileSync(damagedFile.path, damagedFile.bytes);
    damagedFile = null;
  }
}

const read = new Map<Original, Buffer>();
function bytesOf(original: Original): Buffer {
  const bytes = read.get(original) ?? original.bytes();
  read.set(original, bytes);
  return bytes;
}

export function inputOf(seed: number, n: number) {
  const choice = choiceOf(seed, n);
  const [name, reader] = readers[Math.floor(choice.reader * readers.length)]!;
  const original = reader.originals[Math.floor(choice.file * reader.originals.length)]!;
  return { name, reader, original, choice };
}

/** Null if the input was read, else why not. */
async function refusalOf(reader: Reader, path: string): Promise<Error | null> {
  try {
    await reader.read(path);
    return null;
  } catch (error) {
    return error as Error;
  }
}

/** What JavaScript says by itself. */
const RAW =
  /Cannot (read|set|convert|destructure|access)|is not a (function|constructor)|Maximum call stack|Invalid (array|typed|string) |\[object |out of range\. It must/;

/** Whether a message says what is wrong and where, as those of all commands do. */
function isRefusal(error: Error): boolean {
  if (RAW.test(error.message)) return false;
  if (error instanceof InputError) return error.where !== '' || error.message.startsWith('the chat template');
  // Of pages and archives, which are named where they are fetched; of servers, which are named in the message.
  const isOfServer = error instanceof CodedError && ['unreachable', 'server_failed'].includes(error.code);
  return error instanceof ApiError || error instanceof SourceError || isOfServer;
}

function millisecondsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const megabytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MB`;
const counts = { read: {} as Record<string, number>, refused: {} as Record<string, number> };

async function tryOriginals(): Promise<void> {
  for (const [name, reader] of readers)
    for (const original of reader.originals) {
      process.send!({ type: 'begun', n: -1 } satisfies Report);
      const path = join(placeOf(original), original.name);
      writeFileSync(path, bytesOf(original));
      const error = await refusalOf(reader, path);
      if (!error) continue;
      const message = `this is not damaged, but: ${error.stack}`;
      process.send!({ type: 'fault', n: -1, reader: name, file: original.name, message } satisfies Report);
    }
}

async function tryInput({ seed, isAgain }: Task, n: number): Promise<void> {
  const { name, reader, original, choice } = inputOf(seed, n);
  const path = join(placeOf(original), original.name);
  const bytes = bytesOf(original);
  restoreAllBut(path);
  let usualMs = 0;
  if (isAgain) {
    // What a reader needs for the undamaged file too isn't the input's.
    writeFileSync(path, bytes);
    const before = process.cpuUsage();
    await refusalOf(reader, path);
    usualMs = millisecondsSince(before);
    globalThis.gc?.();
  }
  const input = damaged(bytes, choice);
  writeFileSync(path, input);
  damagedFile = { path, bytes };
  const [cpu, memory, peak] = [process.cpuUsage(), process.memoryUsage.rss(), process.resourceUsage().maxRSS];
  const error = await refusalOf(reader, path);
  const ms = millisecondsSince(cpu);
  const peakAfter = process.resourceUsage().maxRSS;
  const report = (type: 'fault' | 'suspicious', message: string) =>
    process.send!({ type, n, reader: name, file: original.name, message } satisfies Report);
  if (error && !isRefusal(error)) report('fault', String(error.stack ?? error));
  const grown = peakAfter > peak ? peakAfter * 1024 - memory : 0;
  const excess =
    ms > MAX_CPU_MS + usualMs
      ? `${Math.round(ms)} ms`
      : grown > SPARE_BYTES + BYTES_PER_BYTE * input.length
        ? `${megabytes(grown)} for ${input.length} bytes`
        : null;
  if (excess) report(isAgain ? 'fault' : 'suspicious', `it took ${excess}${error ? ` (${error.message})` : ''}`);
  const outcome = error ? counts.refused : counts.read;
  outcome[name] = (outcome[name] ?? 0) + 1;
}

process.on('message', async (task: Task) => {
  for (const outcome of Object.values(counts)) for (const name of Object.keys(outcome)) delete outcome[name];
  if (task.isFirst) await tryOriginals();
  for (let n = task.from; n < task.until; n++) {
    process.send!({ type: 'begun', n } satisfies Report);
    await tryInput(task, n);
  }
  process.send!({ type: 'done', ...counts } satisfies Report);
});
// Ctrl-C is for fuzz.mjs.
process.on('SIGINT', () => {});
process.on('disconnect', () => {
  for (const folder of places.values()) rmSync(folder, { recursive: true, force: true });
  process.exit();
});
