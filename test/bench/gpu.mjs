// `npm run bench:gpu [-- --gpu-adapter NAME --only PART]`: `engine bench` on the GPU, its short rows on this machine's CPU with
// TensorFlow if that is installed, and the LoRA rows with PyTorch + PEFT if TUNEWRIGHT_BENCH_PYTHON (or python3) has a torch that finds
// the GPU; TUNEWRIGHT_BENCH_DEVICE=cpu measures those on the CPU. Writes GPU.md.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../../extension/scripts/setUp.mjs';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-bench-gpu-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const stdio = ['ignore', 'inherit', 'inherit'];

/** @returns the answer of `engine bench`; null if it failed, which it has said */
function measure(backend, ...options) {
  const out = join(folder, `${backend}.json`);
  const program = [join(root, 'extension/bin/tunewright.mjs'), 'engine', 'bench', '--backend', backend, '--out', out];
  const { status } = spawnSync(process.execPath, [...program, ...options], { stdio });
  return status === 0 ? JSON.parse(readFileSync(out, 'utf8')) : null;
}

function peer(ids) {
  const python = process.env.TUNEWRIGHT_BENCH_PYTHON ?? 'python3';
  const program = [join(root, 'test/bench/gpu_peft.py'), process.env.TUNEWRIGHT_BENCH_DEVICE ?? '', ...ids];
  const { status, stdout, stderr, error } = spawnSync(python, program, { encoding: 'utf8' });
  if (status === 0) return JSON.parse(stdout);
  console.error(`PyTorch + PEFT not measured: ${error?.message ?? stderr.trim().split('\n').at(-1)}`);
  return null;
}

const gpu = measure('webgpu', ...process.argv.slice(2));
if (!gpu) process.exit(1);
const having = (...parts) => gpu.rows.map(({ id }) => id).filter(id => parts.some(part => id.includes(part)));
// The others would take a CPU many minutes.
const short = having('product 1024', '4 x 256', 'decoding');
const lora = having('LoRA, SmolLM2-135M');
const others = [
  short.length > 0 ? measure('tensorflow', '--only', ...short) : null,
  lora.length > 0 ? peer(lora) : null,
].filter(Boolean);
const answers = [gpu, ...others];
const speed = (answer, id) => answer.rows.find(row => row.id === id)?.value;
const cell = value => (typeof value === 'number' ? value.toLocaleString('en', { maximumSignificantDigits: 4 }) : '');
const lines = [
  `## ${gpu.device}, ${gpu.date}`,
  '',
  `Ten steps’ losses differ from the CPU’s by ${gpu.difference.toExponential(1)} at most. Speeds in the unit of the row.`,
  '',
  `| row | unit | ${answers.map(({ backend, device }) => `${backend}: ${device}`).join(' | ')} |`,
  `| --- | --- | ${answers.map(() => '---:').join(' | ')} |`,
  ...gpu.rows.map(
    ({ id, unit, problem }) =>
      `| ${id} | ${problem ?? unit} | ${answers.map(answer => cell(speed(answer, id))).join(' | ')} |`,
  ),
  '',
];
writeFileSync(join(root, 'test/bench/GPU.md'), lines.join('\n'));
console.log(lines.join('\n'));
