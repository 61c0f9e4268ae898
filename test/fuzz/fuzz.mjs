// `npm run fuzz [-- count [seed [reader]]]`: damaged inputs of every kind (readers.ts), or of the readers whose names have that text,
// are read in processes with little memory and little time. Ctrl-C ends it, after the inputs at hand, with the figures so far.
// Each must be read, or refused with a message that says where. Those that do anything else are kept in runs/fuzz, and the exit code
// is 1. short.test.ts does the same with a part of them.
import { build } from 'esbuild';
import { fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const MAX_HEAP_MB = 512;
/** Without a report: an input that never ends. */
const MAX_SILENT_MS = 60_000;
const TASK_INPUTS = 10_000;
const LAST_MESSAGES_MS = 50;

/**
 * @param onFault called for each input that is neither read nor refused
 * @param signal ends it early
 * @returns numbers of inputs, by reader
 */
export async function fuzz({ count, seed, only = '', signal, onFault, onProgress = () => {} }) {
  // Inside the repository, where the bundle finds its packages.
  mkdirSync(join(root, 'runs'), { recursive: true });
  const bundles = mkdtempSync(join(root, 'runs/fuzz-'));
  const scratch = mkdtempSync(join(tmpdir(), 'tunewright-fuzz-'));
  try {
    const args = [...(await prepare(bundles, scratch)), only];
    const counts = { inputs: 0, read: {}, refused: {}, faults: 0 };
    const fault = report => {
      counts.faults++;
      onFault(report);
    };
    for (let from = 0; from < count && !signal?.aborted; from += TASK_INPUTS) {
      const until = Math.min(count, from + TASK_INPUTS);
      await readAll({ seed, from, until, isFirst: from === 0, isAgain: false }, args, counts, fault);
      onProgress(counts);
    }
    return counts;
  } finally {
    for (const folder of [bundles, scratch]) rmSync(folder, { recursive: true, force: true });
  }
}

/** A task, in as many processes as it takes; what looked too expensive is tried again in a fresh one. */
async function readAll(task, args, counts, fault) {
  let { from } = task;
  while (from < task.until) {
    const suspicious = [];
    const { endedAt, done } = await inProcess({ ...task, from }, args, report => {
      if (report.type === 'fault') fault(report);
      else suspicious.push(report.n);
    });
    for (const n of suspicious)
      await inProcess({ ...task, from: n, until: n + 1, isFirst: false, isAgain: true }, args, fault);
    if (done) {
      for (const outcome of ['read', 'refused'])
        for (const [name, number] of Object.entries(done[outcome]))
          counts[outcome][name] = (counts[outcome][name] ?? 0) + number;
      from = task.until;
    } else {
      if (endedAt.n === null) throw new Error(endedAt.message);
      fault({ type: 'fault', n: endedAt.n, reader: 'unknown', file: '', message: endedAt.message });
      from = endedAt.n + 1;
      task = { ...task, isFirst: false };
    }
  }
  counts.inputs += task.until - task.from;
}

function inProcess(task, [target, ...args], onReport) {
  return new Promise(resolve => {
    const child = fork(target, args, {
      cwd: root,
      execArgv: [`--max-old-space-size=${MAX_HEAP_MB}`, '--expose-gc'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const endedAt = { n: null, message: '' };
    let words = '';
    child.stderr.on('data', data => {
      words = (words + data).slice(-2000);
    });
    let timer;
    const wait = () => {
      clearTimeout(timer);
      timer = globalThis.setTimeout(() => {
        words = `no answer for ${MAX_SILENT_MS / 1000} s`;
        child.kill('SIGKILL');
      }, MAX_SILENT_MS);
    };
    wait();
    let done = null;
    child.on('message', report => {
      wait();
      if (report.type === 'begun') endedAt.n = report.n;
      else if (report.type !== 'done') onReport(report);
      else {
        done = report;
        child.disconnect();
      }
    });
    child.on('exit', async (code, signal) => {
      clearTimeout(timer);
      // Its last messages may still be on their way.
      await setTimeout(LAST_MESSAGES_MS);
      endedAt.message = `the process ended (${signal ?? code}): ${words}`;
      resolve({ endedAt, done });
    });
    child.send(task);
  });
}

/** @returns the bundle, and its arguments */
async function prepare(folder, scratch) {
  const bundle = (entry, name) =>
    build({
      absWorkingDir: root,
      entryPoints: [entry],
      outfile: join(folder, name),
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'esm',
      external: ['@tensorflow/*'],
      mainFields: ['module', 'main'],
      sourcemap: 'inline',
      logLevel: 'error',
      banner: { js: "import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);" },
    });
  await bundle('test/fuzz/target.ts', 'target.mjs');
  await bundle('test/support/ggufModel.ts', 'ggufModel.mjs');
  await bundle('test/support/zipFile.ts', 'zipFile.mjs');
  const imported = name => import(pathToFileURL(join(folder, name)).href);
  const gguf = join(folder, 'model.gguf');
  (await imported('ggufModel.mjs')).writeGgufModel(gguf, join(root, 'media/models/tiny'), 'Q8_0');
  const wheel = join(folder, 'a.whl');
  const entries = [
    { name: 'a/lib.so', content: 'x'.repeat(500) },
    { name: 'a/stored.txt', content: 'abc', stored: true },
    { name: 'a/later.txt', content: 'def', descriptor: 'signed' },
    { name: 'a/large.txt', content: 'ghi', zip64: true },
  ];
  writeFileSync(wheel, (await imported('zipFile.mjs')).makeZip(entries));
  return [join(folder, 'target.mjs'), scratch, gguf, wheel];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [count = 20_000, seed = 1] = process.argv.slice(2, 4).map(Number);
  const only = process.argv[4];
  const kept = join(root, 'runs/fuzz');
  rmSync(kept, { recursive: true, force: true });
  const began = Date.now();
  const sum = numbers => Object.values(numbers).reduce((total, number) => total + number, 0);
  const ending = new AbortController();
  process.once('SIGINT', () => ending.abort());
  const { inputs, read, refused, faults } = await fuzz({
    ...{ count, seed, only, signal: ending.signal },
    onFault: ({ n, reader, file, message }) => {
      mkdirSync(kept, { recursive: true });
      writeFileSync(join(kept, `${seed}-${n}.txt`), `${reader}: ${file}\n${message}\n`);
      console.log(`input ${n} of seed ${seed} (${reader}: ${file}): ${message}\n`);
    },
    onProgress: ({ inputs }) => process.stderr.isTTY && process.stderr.write(`\r${inputs} inputs`),
  });
  for (const reader of Object.keys({ ...read, ...refused }).sort())
    console.log(`${reader}: ${read[reader] ?? 0} read, ${refused[reader] ?? 0} refused`);
  const seconds = Math.round((Date.now() - began) / 1000);
  console.log(`${inputs} inputs in ${seconds} s: ${sum(read)} read, ${sum(refused)} refused, ${faults} faults`);
  process.exit(faults > 0 ? 1 : 0);
}
