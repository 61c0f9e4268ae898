// `npm run test:exports`: exports every kind of base and method to every target, and opens the results with the programs they are for:
// llama.cpp, Transformers, PEFT, mlx-lm. Exits with 1 if one differs. Results are kept in results/, from which the tables in
// extension/docs/measurements/exports.md and README.md are written.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { importEngineModule } from '../../extension/scripts/embedded/engineModule.mjs';
import { root, setUp } from '../../extension/scripts/setUp.mjs';
import { installLlamaNode, installPeer, llamaNode, pytorchPackages } from '../bench/peer.mjs';
import { program } from '../bench/ours.mjs';
import { writeFormatted, writeTables } from './tables.mjs';
import { bases, familyConfig, methods, notOfPeft, refusedMethods, smallBases } from './work.mjs';

const HELP = `Usage: npm run test:exports [-- BASE...] [--report] [--small] [--out FOLDER]

Exports every kind of base and method to every target and opens the results with llama.cpp, Transformers, PEFT and mlx-lm, which it
installs at the first run (3 GB). It takes about an hour.

BASE           only these bases: ${bases.map(({ id }) => id).join(', ')}
--report       only write the tables from the results
--small        a minute, without other programs
--out FOLDER   where models and exports are written (default: runs/exports)
`;

const { values, positionals } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h' },
    report: { type: 'boolean' },
    small: { type: 'boolean' },
    out: { type: 'string' },
  },
  allowPositionals: true,
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

/** The largest KL of files that don't round to fewer than 8 bits; what programs compute with is rounded in addition. */
const BOUNDS = {
  f32: 1e-4,
  f16: 1e-3,
  bf16: 5e-3,
  q8_0: 0.02,
  float32: 1e-4,
  float16: 1e-3,
  bfloat16: 0.02,
  adapter_gguf: 1e-3,
  adapter_mlx: 1e-3,
};
const here = dirname(fileURLToPath(import.meta.url));
const embedded = join(root, 'media/models/tiny');
const work = resolve(values.out ?? join(root, 'runs/exports'));
const resultsFolder = values.small ? join(work, 'results') : join(here, 'results');
const { cacheFolder } = await importEngineModule('engine/install/paths.ts');
const { klBound } = await importEngineModule('engine/export/exportBounds.ts');
const { ggufModelTypes } = await importEngineModule('engine/export/ggufTypes.ts');

let failures = 0;
if (!values.report) {
  setUp();
  const programs = values.small ? null : installed();
  const versions = programs ? { llama: llamaNode, ...python(programs, [{ kind: 'versions' }])[0] } : {};
  const chosen = (values.small ? smallBases : bases).filter(
    ({ id }) => positionals.length === 0 || positionals.includes(id),
  );
  for (const base of chosen) {
    rmSync(join(work, base.id), { recursive: true, force: true });
    const cells = await exportsOf(base, programs);
    failures += cells.filter(({ problem }) => problem !== null).length;
    mkdirSync(resultsFolder, { recursive: true });
    const result = { title: base.title, programs: versions, cells };
    await writeFormatted(join(resultsFolder, `${base.id}.json`), JSON.stringify(result), 'json');
  }
}
if (!values.small) await writeTables(resultsFolder);
if (failures > 0) console.error(`${failures} exports differ`);
process.exit(failures > 0 ? 1 : 0);

/** Installs what is missing. TUNEWRIGHT_EXPORTS_PYTHON names a Python that has the packages. */
function installed() {
  const folder = join(cacheFolder(), 'exports');
  const packages = [...pytorchPackages, 'mlx-lm', process.platform === 'darwin' ? 'mlx' : 'mlx[cpu]'];
  return {
    llama: installLlamaNode(join(cacheFolder(), 'bench', 'node-llama-cpp')),
    python: process.env.TUNEWRIGHT_EXPORTS_PYTHON ?? installPeer(join(folder, 'python'), packages),
  };
}

/** Everything that is exported from one base. @returns {Promise<object[]>} a result for each export */
async function exportsOf(base, programs) {
  const folder = join(work, base.id);
  mkdirSync(folder, { recursive: true });
  const model = baseModel(base, folder, programs);
  const cells = [];
  for (const { method, targets } of base.exports) {
    const tuned =
      methods[method] === null
        ? { model, adapter: null }
        : trained(join(folder, method), model, methods[method], base.rate);
    for (const { target, type } of targets) {
      const out = placeFor(folder, `${method}-${target}-${type ?? ''}`, target);
      cells.push({ base, method, target, type, tuned, model, out, ...exported(target, type, tuned, out) });
    }
  }
  for (const method of base.refuses ?? []) {
    const { adapter } = trained(join(folder, method), model, refusedMethods[method], base.rate);
    for (const target of ['gguf', 'folder', 'mlx', 'adapter_gguf', 'adapter_mlx'])
      cells.push({
        base,
        method,
        target,
        type: null,
        ...refused(target, model, adapter, placeFor(folder, `refused-${target}`, target)),
      });
  }
  if (programs) checkWith(programs, folder, cells);
  return cells.map(
    ({ method, target, type, problem, certified, program: by = null, kl = null, others = null, theirs = null }) => {
      const state =
        problem ??
        (by ? `${by}: ${kl.toExponential(2)}, ${others} other tokens` : certified === null ? 'refused' : 'certified');
      console.log(`${base.id} ${method} ${target} ${type ?? ''}: ${state}`);
      return { method, target, type, problem, certified, program: by, kl, others, theirs };
    },
  );
}

function isFile(target) {
  return target === 'gguf' || target === 'adapter_gguf';
}

function tunewright(...args) {
  return spawnSync(process.execPath, [program, ...args, '--json'], { encoding: 'utf8', cwd: root, maxBuffer: 1 << 28 });
}

function must(...args) {
  const { status, stdout, stderr } = tunewright(...args);
  if (status !== 0) throw new Error(`tunewright ${args.join(' ')} failed: ${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

/** The path or name of the base. */
function baseModel({ id, type, family }, folder, programs) {
  if (id === 'smollm2') {
    must('models', 'pull', 'smollm2-135m-instruct');
    return 'smollm2-135m-instruct';
  }
  if (family) {
    const [made] = python(programs, [
      { kind: 'make', config: familyConfig(family), tokenizer: embedded, out: join(folder, family) },
    ]);
    if (made.problem) throw new Error(made.problem);
    return join(folder, family);
  }
  if (!type) return embedded;
  const out = join(folder, `base-${type}.gguf`);
  must('merge', '--model', embedded, '--type', type, '--out', out, '--no-compare');
  return out;
}

/** Trains a few steps, enough for answers to change. */
function trained(folder, model, method, usualRate = 1e-2) {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'exports.tune.json');
  const rate = method.peft_type === 'FULL' || method.peft_type === 'SELECTIVE' ? usualRate / 100 : usualRate;
  const run = {
    name: 'exports',
    model,
    dataset: { train: join(root, 'media/datasets/pirate.messages.jsonl'), max_length: 48 },
    method,
    training: {
      ...{ max_steps: 6, per_device_train_batch_size: 2, learning_rate: rate, lr_scheduler_type: 'constant' },
      ...{ measure_forgetting: false, save_steps: 1_000_000, load_best_model_at_end: false },
    },
  };
  writeFileSync(file, JSON.stringify(run));
  const out = join(folder, 'run');
  if (!existsSync(out)) {
    const { status, stderr } = tunewright('train', file, '--out', out);
    if (status !== 0) throw new Error(`${method.peft_type} could not be trained: ${stderr}`);
  }
  return existsSync(join(out, 'model'))
    ? { model: join(out, 'model'), adapter: null }
    : { model, adapter: join(out, 'adapter') };
}

function argumentsOf(target, type, { model, adapter }, out) {
  const to = {
    gguf: 'merged-gguf',
    folder: 'merged-folder',
    mlx: 'merged-mlx',
    adapter_gguf: 'gguf',
    adapter_mlx: 'mlx',
  }[target];
  const named = ['--model', model, ...(adapter ? ['--adapter', adapter] : []), '--out', out];
  const option = type === null ? [] : [target === 'gguf' ? '--type' : '--dtype', type];
  return ['export', ...named, '--to', to, ...option, ...(target === 'folder' ? ['--max-shard-size', '1MB'] : [])];
}

/** The certificate's KL, and why there is none. */
function placeFor(folder, name, target) {
  return join(folder, `${name}${isFile(target) ? '.gguf' : ''}`);
}

function exported(target, type, tuned, out) {
  const { status, stdout, stderr } = tunewright(...argumentsOf(target, type, tuned, out));
  if (status !== 0) return { certified: null, problem: `not exported: ${stderr.trim()}` };
  const { rounding, certificate } = JSON.parse(stdout.trim().split('\n').at(-1));
  const isGood = ['same', 'within'].includes(certificate.verdict);
  return { certified: rounding.kl, problem: isGood ? null : `the certificate says: ${certificate.verdict}` };
}

/** What can't be exported is refused with what can be done instead, and nothing is left. */
function refused(target, model, adapter, out) {
  const { status, stderr } = tunewright(...argumentsOf(target, null, { model, adapter }, out));
  const isRefused = status === 2 && /can't be (merged|expressed)/.test(stderr) && !existsSync(out);
  return { certified: null, problem: isRefused ? null : `not refused: ${status} ${stderr}` };
}

/** Opens all exports with the programs they are for, and adds to each cell: program, kl, theirs, problem. */
function checkWith(programs, folder, cells) {
  const open = cells.filter(({ certified }) => certified !== null);
  for (const cell of open) cell.reference = join(folder, `${cell.method}-reference`);
  writeReferences(open);
  const f32 = method => open.find(cell => cell.method === method && cell.target === 'gguf' && cell.type === 'f32');
  const plain = plainBases(programs, folder, open);
  const inLlama = open.filter(({ target }) => isFile(target));
  const llamaJobs = inLlama.map(({ target, out, reference }) => ({
    ...(target === 'gguf' ? { file: out, lora: null } : { file: plain.gguf, lora: out }),
    reference,
  }));
  // llama.cpp's own files of the types that round most.
  const coarse = inLlama.filter(({ target, type, method }) => target === 'gguf' && /^q[3-6]/.test(type) && f32(method));
  const own = coarse.map(cell => ({
    kind: 'quantize',
    llama: programs.llama,
    from: f32(cell.method).out,
    out: `${cell.out}.theirs`,
    file_type: ggufModelTypes[cell.type].fileType,
  }));
  const made = python(programs, own);
  const theirs = coarse.filter((_, i) => made[i].problem === null);
  const answers = llama(programs, [
    ...llamaJobs,
    ...theirs.map(({ out, reference }) => ({ file: `${out}.theirs`, lora: null, reference })),
  ]);
  inLlama.forEach((cell, i) => note(cell, 'llama.cpp', answers[i]));
  theirs.forEach((cell, i) => {
    const { kl, problem } = answers[inLlama.length + i];
    if (problem !== null) return;
    cell.theirs = kl;
    const { most } = klBound([ggufModelTypes[cell.type].type]);
    if (1.1 * kl > most) cell.problem ??= `llama.cpp's own file has a KL of ${kl}, and the bound is ${most}`;
    if (cell.kl > 1.1 * kl) cell.problem ??= `KL ${cell.kl}, and llama.cpp's own file of the type has ${kl}`;
  });
  const inPython = open.filter(({ target }) => !isFile(target));
  const jobs = inPython.map(({ target, out, reference }) => {
    if (target === 'adapter_mlx') return { kind: 'mlx_adapter', model: plain.mlx, adapter: out, reference };
    return { kind: target === 'mlx' ? 'mlx' : 'transformers', model: out, reference };
  });
  const adapters = open.filter(
    ({ target, method, tuned, base }) =>
      target === 'gguf' && tuned.adapter && !notOfPeft.includes(method) && !base.type,
  );
  const firsts = adapters.filter(({ method }, i) => adapters.findIndex(cell => cell.method === method) === i);
  const peftJobs = firsts.map(({ tuned, reference }) => ({
    kind: 'peft',
    model: plain.folder,
    adapter: tuned.adapter,
    reference,
  }));
  const found = python(programs, [...jobs, ...peftJobs]);
  inPython.forEach((cell, i) => note(cell, cell.target.endsWith('mlx') ? 'mlx-lm' : 'Transformers', found[i]));
  // The reference itself.
  firsts.forEach(({ method }, i) => {
    const { kl, others, problem } = found[jobs.length + i];
    const isEqual = problem === null && kl < 1e-5 && others === 0;
    cells.push({
      method,
      target: 'adapter',
      type: null,
      certified: kl,
      program: 'PEFT',
      ...{ kl, others },
      problem: isEqual ? null : (problem ?? `KL ${kl}, ${others} other tokens in greedy answers`),
    });
  });
}

function note(cell, by, { kl = null, others = null, problem }) {
  Object.assign(cell, { program: by, kl, others });
  const most = BOUNDS[cell.type ?? cell.target] ?? Infinity;
  if (problem !== null) cell.problem ??= `${by}: ${problem}`;
  else if (!(kl <= most)) cell.problem ??= `${by}: KL ${kl}, and may be ${most}`;
  else if (others > 0 && isExact(cell)) cell.problem ??= `${by}: ${others} tokens of greedy answers are others`;
}

/** Whether no weight is rounded. */
function isExact({ type }) {
  return type === 'f32' || type === 'float32';
}

function writeReferences(cells) {
  const jobs = new Map(
    cells.map(({ reference, tuned }) => [
      reference,
      { model: tuned.model, adapters: tuned.adapter ? [tuned.adapter] : [], out: reference },
    ]),
  );
  const { status } = spawnSync(process.execPath, [join(here, 'reference.mjs')], {
    input: JSON.stringify([...jobs.values()]),
    stdio: ['pipe', 'inherit', 'inherit'],
    cwd: root,
  });
  if (status !== 0) throw new Error('reference.ts failed');
}

/** The base in float32, and in float16 for mlx-lm, for programs that put an adapter on it. */
function plainBases(programs, folder, cells) {
  const { model } = cells[0];
  const needed = cells.some(({ target, tuned }) => target.startsWith('adapter') || tuned.adapter);
  if (!needed) return null;
  const paths = { gguf: join(folder, 'plain.gguf'), folder: join(folder, 'plain'), mlx: join(folder, 'plain-mlx') };
  must('merge', '--model', model, '--out', paths.gguf, '--type', 'f32', '--no-compare');
  must('merge', '--model', model, '--out', paths.folder, '--no-compare');
  // mlx-lm has other names for some keys of config.json.
  must('export', '--model', model, '--to', 'merged-mlx', '--dtype', 'float16', '--out', paths.mlx, '--no-compare');
  return paths;
}

function llama({ llama: folder }, jobs) {
  return lines(process.execPath, join(here, 'llama.mjs'), { folder, jobs }).map(line => JSON.parse(line));
}

function python(programs, jobs) {
  if (jobs.length === 0) return [];
  const found = lines(programs.python, join(here, 'programs.py'), jobs);
  return found.filter(line => line.startsWith('RESULT ')).map(line => JSON.parse(line.slice('RESULT '.length)));
}

function lines(command, script, input) {
  const { status, stdout } = spawnSync(command, [script], {
    input: JSON.stringify(input),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['pipe', 'pipe', values.small ? 'ignore' : 'inherit'],
  });
  if (status !== 0) throw new Error(`${script} failed`);
  return stdout
    .trim()
    .split('\n')
    .filter(line => line !== '');
}
