// Runs the bench's exports: `tunewright merge` as a user types it, with the peak memory of its process. Called by bench.mjs.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { largeBase } from './largeBases.mjs';
import { modelFolder } from './materials.mjs';
import { program } from './ours.mjs';
import { trainedAdapters } from './serving.mjs';
import { largeBases, serving } from './work.mjs';

/**
 * @param {(typeof import('./work.mjs').exportWorks)[number]} work
 * @param {string} materials folder of models
 * @returns {Promise<{ seconds: number, peakBytes: number, bytes: number, divergence: number }>}
 */
export async function exportOurs({ model: name, base, withLora }, materials) {
  const large = largeBases.find(({ id }) => id === base);
  const model = large ? await largeBase(large, materials) : await modelFolder(name, materials);
  const methods = { LORA: serving.methods.LORA };
  const adapters = withLora
    ? [(await trainedAdapters({ ...serving, methods, model: name }, model, materials)).LORA]
    : [];
  const folder = mkdtempSync(join(tmpdir(), 'tunewright-bench-'));
  try {
    const preload = fileURLToPath(new URL('../claims/peakAtExit.mjs', import.meta.url));
    const flags = ['--model', model, ...adapters.flatMap(adapter => ['--adapter', adapter]), '--type', 'q4_k_m'];
    const args = [program, 'merge', ...flags, '--out', join(folder, 'out.gguf'), '--json'];
    const begin = performance.now();
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', preload, ...args], {
      encoding: 'utf8',
    });
    const seconds = (performance.now() - begin) / 1000;
    const [, peak] = /^peak (\d+)$/m.exec(stderr) ?? [];
    if (status !== 0 || peak === undefined) throw new Error(`tunewright merge failed: ${stderr}`);
    const { bytes, rounding } = JSON.parse(stdout);
    return { seconds, peakBytes: Number(peak), bytes, divergence: rounding.kl };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
