// Memory and processor time of a training step by method, against inference with the same model, batch and length: short runs in
// processes of their own, in rounds of all methods, so that a machine's changes fall on all alike. Rows are of random tokens.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { importEngineModule } from '../../extension/scripts/embedded/engineModule.mjs';
import { rowsFile } from '../bench/materials.mjs';
import { answerOf, program, runFile } from '../bench/ours.mjs';

/** Ticks of a second in /proc: USER_HZ, 100 on every architecture that Node has. */
const TICKS = 100;

/**
 * @typedef {object} Costs
 * @property {{ batchSize: number, length: number, steps: number, rounds: number }} settings
 * @property {string} cpu
 * @property {{ inferenceBytes: number }} estimate of the engine, for one sequence
 * @property {number[]} inference VmHWM of a process that computes the loss of the same batch without gradients, a value a round
 * @property {CostRun[]} runs
 *
 * @typedef {object} CostRun
 * @property {string} name
 * @property {number} round
 * @property {number} parameters
 * @property {number} peakBytes VmHWM of the process
 * @property {number | null} cpuSeconds of a step, by all threads; null where there is no /proc
 * @property {Record<string, number>} estimate of the engine, by part, without the program
 */

/**
 * What is missing of the costs of a model, measured and handed to `save` one by one.
 * @param {{ model: string, settings: Costs['settings'], entries: import('./work.mjs').Entry[], known: Costs | null,
 *   folder: string, save: (costs: Costs) => void }} job `folder` keeps the rows
 */
export async function measureCosts({ model, settings, entries, known, folder, save }) {
  const { batchSize, length, steps, rounds } = settings;
  const { cpuKind } = await importEngineModule('engine/machine/machine.ts');
  const costs = known ?? { settings, cpu: cpuKind(), estimate: null, inference: [], runs: [] };
  const rows = await rowsFile({ count: batchSize * steps, length }, folder);
  const fileOf = method =>
    runFile({
      ...{ model, rows, method, batchSize, maxLength: length, packing: false, epochs: 1, learningRate: 1e-5 },
      ...{ compile: 'auto', training: { measure_forgetting: false }, engine: { threads: 1 } },
    });
  const temporary = mkdtempSync(join(tmpdir(), 'tunewright-claims-'));
  try {
    const file = join(temporary, 'costs.tune.json');
    for (let round = 1; round <= rounds; round++) {
      if (costs.inference.length < round) {
        if (costs.estimate === null) {
          writeFileSync(file, JSON.stringify(fileOf({ peft_type: 'FULL' })));
          costs.estimate = { inferenceBytes: answerOf('estimate', file).inference_bytes };
        }
        costs.inference.push(inferencePeak(model, rows, settings));
        save(costs);
      }
      for (const { name, method } of entries) {
        if (costs.runs.some(run => run.name === name && run.round === round)) continue;
        writeFileSync(file, JSON.stringify(fileOf(method)));
        costs.runs.push({ name, round, ...(await trainingCosts(file, join(temporary, `out-${round}`), steps)) });
        rmSync(join(temporary, `out-${round}`), { recursive: true });
        save(costs);
      }
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Peak memory of `tunewright evaluate` over the rows. */
function inferencePeak(model, rows, { batchSize, length }) {
  const preload = fileURLToPath(new URL('peakAtExit.mjs', import.meta.url));
  const flags = [
    '--model',
    model,
    '--dataset',
    rows,
    '--batch-size',
    batchSize,
    '--max-length',
    length,
    '--threads',
    1,
  ];
  const args = ['--import', preload, program, 'evaluate', ...flags.map(String), '--json'];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  const [, peak] = /^peak (\d+)$/m.exec(stderr) ?? [];
  if (status !== 0 || peak === undefined) throw new Error(`tunewright evaluate failed: ${stderr}`);
  return Number(peak);
}

/** A run of one epoch; the processor's time is that of the second half of its steps. */
async function trainingCosts(file, out, steps) {
  const child = spawn(process.execPath, [program, 'train', file, '--out', out, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
  const half = Math.ceil(steps / 2);
  const at = new Map();
  const events = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line);
    events.push(event);
    if (event.type === 'step') at.set(event.step, cpuSeconds(child.pid));
  }
  const completed = events.find(({ type }) => type === 'completed');
  if ((await ended) !== 0 || !completed) throw new Error(`tunewright train failed: ${JSON.stringify(events.at(-1))}`);
  const { trainable_parameters, memory_estimate } = events.find(({ type }) => type === 'started');
  // The last step's event may come after the checkpoint.
  const [from, to] = [at.get(half), at.get(steps - 1)];
  return {
    parameters: trainable_parameters,
    peakBytes: completed.peak_rss_bytes,
    cpuSeconds: from == null || to == null ? null : Number(((to - from) / (steps - 1 - half)).toPrecision(4)),
    estimate: memory_estimate,
  };
}

/** User and system time of a process so far; null if it has ended, or where there is no /proc. */
function cpuSeconds(pid) {
  try {
    // After the name in parentheses, which may have spaces: state is the first field, utime the 12th, stime the 13th.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  } catch {
    return null;
  }
}
