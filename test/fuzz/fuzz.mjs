// `npm run fuzz [-- count [seed]]`: reads thousands of damaged files (Parquet, JSON Lines, GGUF, the JSON files of models and
// adapters) in a process with little memory and little time. Each must be read or refused with a message that names a file. Inputs
// that do anything else are kept in runs/fuzz, and the exit code is 1.
import { build } from 'esbuild';
import { fork } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const [count = 2000, seed = 1] = process.argv.slice(2).map(Number);
const MAX_HEAP_MB = 600;
const MAX_MS = 30_000;
const kept = join(root, 'runs/fuzz');
// Inside the repository, where the bundle finds its packages.
mkdirSync(join(root, 'runs'), { recursive: true });
const folder = mkdtempSync(join(root, 'runs/fuzz-'));

/** mulberry32 */
let state = seed;
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
const below = most => Math.floor(random() * most);
const oneOf = list => list[below(list.length)];

const model = join(root, 'media/models/tiny');
const parity = join(root, 'test/fixtures/parity/llama-untied');
const adapters = readdirSync(parity).filter(name => existsSync(join(parity, name, 'adapter_config.json')));
const tables = join(root, 'test/fixtures/parquet');
const rowFiles = [
  ...readdirSync(tables)
    .filter(name => name.endsWith('.parquet'))
    .map(name => join(tables, name)),
  ...[
    'pirate.messages.jsonl',
    'questions.tokenized.jsonl',
    'support-tone.alpaca.jsonl',
    'haiku.sharegpt.json',
    'facts.csv',
  ].map(name => join(root, 'media/datasets', name)),
].map(file => ({ kind: 'rows', file, folder: model, base: model }));
const jsonFiles = ['tokenizer.json', 'tokenizer_config.json', 'config.json'].map(name => ({
  kind: 'model',
  file: join(model, name),
  folder: model,
  base: model,
}));
const adapterFiles = adapters.map(name => ({
  kind: 'adapter',
  file: join(parity, name, 'adapter_config.json'),
  folder: join(parity, name),
  base: parity,
}));

await bundle('test/fuzz/target.ts', 'target.mjs');
const gguf = join(folder, 'model.gguf');
await bundle('test/support/ggufModel.ts', 'ggufModel.mjs');
(await import(join(folder, 'ggufModel.mjs'))).writeGgufModel(gguf, model, 'Q8_0');
const groups = [
  rowFiles,
  rowFiles,
  jsonFiles,
  adapterFiles,
  [{ kind: 'gguf', file: gguf, folder: model, base: model }],
];

function bundle(entry, name) {
  return build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: join(folder, name),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    external: ['@tensorflow/*'],
    logLevel: 'error',
    banner: { js: "import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);" },
  });
}

const ODD_VALUES = [
  null,
  true,
  false,
  0,
  -1,
  1e300,
  1e-300,
  2 ** 53,
  '',
  '-1',
  '(a+)+!',
  [],
  {},
  [null],
  { type: 1 },
  [[[]]],
];

/** Another value, type or key somewhere in the JSON. */
function changeJson(value) {
  const places = [];
  const visit = (holder, key, depth) => {
    places.push([holder, key]);
    const inner = holder[key];
    // A vocabulary has thousands of places, all of one kind.
    if (typeof inner === 'object' && inner !== null && depth < 12)
      Object.keys(inner)
        .slice(0, 40)
        .forEach(name => visit(inner, name, depth + 1));
  };
  const top = { value };
  visit(top, 'value', 0);
  for (let n = 1 + below(3); n > 0; n--) {
    const [holder, key] = oneOf(places);
    const kind = below(5);
    if (kind === 0) delete holder[key];
    else if (kind === 1) holder[key] = oneOf(places)[0];
    else if (kind === 2 && typeof holder[key] === 'number') holder[key] = holder[key] * oneOf([-1, 0.5, 1000, 2 ** 31]);
    else holder[key] = oneOf(ODD_VALUES);
  }
  return top.value;
}

function mutated(bytes, file) {
  if (/\.jsonl?$/.test(file) && below(4) > 0) {
    const isLines = file.endsWith('.jsonl');
    const text = bytes.toString();
    try {
      if (!isLines) return Buffer.from(JSON.stringify(changeJson(JSON.parse(text))));
      const lines = text.trim().split('\n').slice(0, 30);
      const at = below(lines.length);
      lines[at] = JSON.stringify(changeJson(JSON.parse(lines[at])));
      return Buffer.from(lines.join('\n'));
    } catch {
      // A change that has no JSON, such as a circle.
    }
  }
  const copy = Buffer.from(bytes);
  // Headers and metadata, which are at the beginning and at the end, more often than values.
  const position = () =>
    below(2)
      ? below(copy.length)
      : below(2)
        ? below(Math.min(4096, copy.length))
        : copy.length - 1 - below(Math.min(1024, copy.length));
  for (let n = 1 + below(8); n > 0; n--) {
    const at = position();
    if (below(2)) copy[at] = below(256);
    else copy[at] ^= 1 << below(8);
    if (below(8) === 0) copy.fill(oneOf([0, 255, 127, 128]), at, Math.min(copy.length, at + 1 + below(8)));
  }
  return below(10) === 0 ? copy.subarray(0, below(copy.length)) : copy;
}

let child = null;
function start() {
  child = fork(join(folder, 'target.mjs'), [], {
    execArgv: [`--max-old-space-size=${MAX_HEAP_MB}`],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  child.errors = '';
  child.stderr.on('data', data => (child.errors = (child.errors + data).slice(-2000)));
}

function outcomeOf(input) {
  if (!child) start();
  const current = child;
  return new Promise(resolve => {
    const settle = outcome => {
      clearTimeout(timer);
      current.removeAllListeners();
      resolve(outcome);
    };
    const lose = message => {
      child = null;
      settle({ outcome: 'fault', message });
    };
    const timer = setTimeout(() => {
      current.kill('SIGKILL');
      lose(`no answer for ${MAX_MS / 1000} s`);
    }, MAX_MS);
    current.once('message', settle);
    current.once('exit', (code, signal) => lose(`the process ended (${signal ?? code}): ${current.errors}`));
    current.send(input);
  });
}

for (const { file, ...input } of groups.flat()) {
  const path = join(folder, `0-${basename(file)}`);
  copyFileSync(file, path);
  const { outcome, message } = await outcomeOf({ ...input, path });
  if (outcome !== 'read') throw new Error(`${file} is not damaged, but: ${message}`);
}

const counts = { read: 0, refused: 0, fault: 0 };
rmSync(kept, { recursive: true, force: true });
const began = Date.now();
for (let n = 0; n < count; n++) {
  const { file, ...input } = oneOf(oneOf(groups));
  const path = join(folder, `${n}-${basename(file)}`);
  writeFileSync(path, mutated(readFileSync(file), file));
  const { outcome, message } = await outcomeOf({ ...input, path });
  counts[outcome]++;
  if (outcome === 'fault') {
    mkdirSync(kept, { recursive: true });
    copyFileSync(path, join(kept, basename(path)));
    console.log(`${basename(path)} (${input.kind}, ${basename(input.folder)}): ${message}\n`);
  }
  rmSync(path);
}
child?.kill();
rmSync(folder, { recursive: true });
const seconds = Math.round((Date.now() - began) / 1000);
console.log(`${count} files in ${seconds} s: ${counts.read} read, ${counts.refused} refused, ${counts.fault} faults`);
process.exit(counts.fault > 0 ? 1 : 0);
