// Runs one row of the bench with `tunewright train`, like a user; figures are from the run's events.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { importEngineModule } from '../../extension/scripts/embedded/engineModule.mjs';
import { root } from '../../extension/scripts/setUp.mjs';

const { PROGRAM_BYTES } = await importEngineModule('engine/estimate/programBytes.ts');

/** The run file of a job; `training` and `engine` have further settings. */
export function runFile(job) {
  const {
    model,
    rows,
    method,
    batchSize,
    maxLength,
    packing,
    shuffle = false,
    epochs,
    learningRate,
    compile,
    training,
    engine,
  } = job;
  return {
    name: 'bench',
    model,
    dataset: { train: rows, format: 'tokenized', max_length: maxLength, packing },
    method,
    training: {
      num_train_epochs: epochs,
      per_device_train_batch_size: batchSize,
      learning_rate: learningRate,
      lr_scheduler_type: 'constant',
      shuffle,
      save_steps: 1_000_000,
      load_best_model_at_end: false,
      ...training,
    },
    engine: { backend: 'tensorflow', compile, ...engine },
  };
}

export const program = process.env.TUNEWRIGHT_BENCH_PROGRAM ?? join(root, 'extension/bin/tunewright.mjs');

/** The output of a command with --json. */
export function answerOf(...args) {
  const { status, stdout } = spawnSync(process.execPath, [program, ...args, '--json'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`tunewright ${args[0]} failed`);
  return JSON.parse(stdout);
}

/**
 * @returns {Promise<{ steps: { epoch: number, ms: number, loss: number, tokens: number }[], peakBytes: number,
 *   estimatedBytes: number, library: string, compileMs: number }>}
 */
export async function trainOurs(job) {
  const folder = mkdtempSync(join(tmpdir(), 'tunewright-bench-'));
  try {
    const file = join(folder, 'bench.tune.json');
    writeFileSync(file, JSON.stringify(runFile(job)));
    const child = spawn(process.execPath, [program, 'train', file, '--out', join(folder, 'out'), '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
    const events = [];
    for await (const line of createInterface({ input: child.stdout })) events.push(JSON.parse(line));
    if ((await ended) !== 0) throw new Error(`tunewright train failed: ${JSON.stringify(events.at(-1))}`);
    return figuresOf(events);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function figuresOf(events) {
  const started = events.find(({ type }) => type === 'started');
  const completed = events.find(({ type }) => type === 'completed');
  let tokens = 0;
  const steps = events
    .filter(({ type }) => type === 'step')
    .map(event => {
      const own = event.num_tokens - tokens;
      tokens = event.num_tokens;
      return { epoch: Math.ceil(event.epoch) - 1, ms: event.step_ms, loss: event.loss, tokens: own };
    });
  return {
    steps,
    peakBytes: completed.peak_rss_bytes,
    estimatedBytes: started.memory_estimate.total + PROGRAM_BYTES,
    library: started.engine.library,
    compileMs: events.findLast(({ type }) => type === 'compiled')?.compile_ms ?? 0,
  };
}
