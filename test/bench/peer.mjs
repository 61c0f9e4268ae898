// The bench's peers: virtual environments with packages from the package index, and a row of the bench trained with PyTorch
// (peer.py).
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('peer.py', import.meta.url));
export const pytorchPackages = ['torch', 'transformers', 'peft'];
/** Compiles llama.cpp for this machine, which takes minutes and needs a C++ compiler. */
export const llamaPackages = ['llama-cpp-python'];

/** Prebuilt libllama for Node, without its variants for GPUs. */
const llamaNodeVersion = '3.22.1';
const llamaNodePlatforms = { linux: `linux-${process.arch}`, win32: `win-${process.arch}` };
const llamaNodePackages = [
  `node-llama-cpp@${llamaNodeVersion}`,
  `@node-llama-cpp/${llamaNodePlatforms[process.platform] ?? (process.arch === 'arm64' ? 'mac-arm64-metal' : 'mac-x64')}@${llamaNodeVersion}`,
];
export const llamaNode = llamaNodePackages[0].replace('@', ' ');

/** Installs node-llama-cpp into a folder unless it is there. @returns {string} the folder */
export function installLlamaNode(folder) {
  const done = join(folder, 'installed');
  if (existsSync(done)) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  console.log(`Installing ${llamaNodePackages.join(', ')} into ${folder}`);
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const quiet = ['--silent', '--no-audit', '--no-fund', '--ignore-scripts', '--omit=optional'];
  must('npm', ['install', '--prefix', folder, ...quiet, ...llamaNodePackages]);
  writeFileSync(done, `${llamaNodePackages.join('\n')}\n`);
  return folder;
}

function must(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed${error ? `: ${error.message}` : ''}`);
}

/**
 * Full path of a peer's Python; creates the virtual environment if needed.
 * @param {string} folder
 * @param {string[]} packages
 */
export function installPeer(folder, packages) {
  const python = join(folder, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
  const done = join(folder, 'installed');
  if (existsSync(done)) return python;
  rmSync(folder, { recursive: true, force: true });
  console.log(`Installing ${packages.join(', ')} into ${folder}`);
  must(process.platform === 'win32' ? 'python' : 'python3', ['-m', 'venv', folder]);
  must(python, ['-m', 'pip', 'install', '--quiet', ...packages]);
  writeFileSync(done, `${packages.join('\n')}\n`);
  return python;
}

/** @returns {Promise<{ steps: { epoch: number, ms: number, loss: number, tokens: number }[], peakBytes: number }>} */
export async function trainPeer(python, { batchSize, peerBatchSize = batchSize, learningRate, ...work }) {
  const { model, rows, method, shuffle, epochs, peerEpochs = epochs, peerAutocast: autocast = null } = work;
  const settings = { autocast, epochs: peerEpochs, shuffle, batch_size: peerBatchSize, learning_rate: learningRate };
  const job = { model, rows, method, ...settings };
  const child = spawn(python, [script, JSON.stringify(job)], {
    cwd: dirname(script),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
  let output = '';
  for await (const chunk of child.stdout) output += chunk;
  if ((await ended) !== 0) throw new Error('the PyTorch peer failed');
  const { steps, peak_bytes: peakBytes } = JSON.parse(output.trim().split('\n').at(-1));
  return { steps, peakBytes };
}

/** Floating point operations per second of the product that machineSpeed.ts measures, in PyTorch. */
export function peerFlopsPerSecond(python) {
  const code = `
import os, time, torch
torch.set_num_threads(os.cpu_count())
x, w = torch.rand(1024, 576), torch.rand(1536, 576)
def once():
    began = time.perf_counter()
    x @ w.T
    return time.perf_counter() - began
print(2 * 1024 * 576 * 1536 / sorted(once() for _ in range(60))[30])`;
  return Number(spawnSync(python, ['-c', code], { encoding: 'utf8' }).stdout);
}

/** Name and version of llama.cpp's Python package. */
export function llamaVersion(python) {
  const code = 'import llama_cpp; print(llama_cpp.__version__)';
  return `llama-cpp-python ${spawnSync(python, ['-c', code], { encoding: 'utf8' }).stdout.trim()}`;
}

/** Versions of the PyTorch packages, as one line. */
export function peerVersions(python) {
  const code = 'import torch, transformers, peft; print(torch.__version__, transformers.__version__, peft.__version__)';
  const [torch, transformers, peft] = spawnSync(python, ['-c', code], { encoding: 'utf8' }).stdout.trim().split(' ');
  return `PyTorch ${torch}, Transformers ${transformers}, PEFT ${peft}`;
}
