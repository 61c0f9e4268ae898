// Long runs of the embedded model on a few rows, for load.mjs: many steps without a pause, and a run that is paused, resumed, saved and
// stopped all the time while its dataset is edited.
import { spawn } from 'node:child_process';
import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../extension/bin/tunewright.mjs', import.meta.url));
const MB = 1e6;

/** Writes rows and a run file on them. */
function prepare(folder, training) {
  const rows = Array.from({ length: 16 }, (_, i) => ({
    prompt: `Say ${'ab'.repeat(1 + (i % 5))} ${i}`,
    completion: ` ${'cd'.repeat(1 + (i % 7))}.`,
  }));
  const text = rows.map(row => `${JSON.stringify(row)}\n`).join('');
  writeFileSync(join(folder, 'rows.jsonl'), text);
  writeFileSync(join(folder, 'held-out.jsonl'), text.slice(0, 200).replace(/[^\n]*$/, ''));
  const file = join(folder, 'load.tune.json');
  const run = {
    model: 'embedded:tiny',
    dataset: { train: 'rows.jsonl', validation: 'held-out.jsonl', max_length: 32 },
    method: { peft_type: 'LORA', r: 4 },
    training: { per_device_train_batch_size: 1, measure_forgetting: false, save_total_limit: 2, ...training },
  };
  writeFileSync(file, JSON.stringify(run));
  return file;
}

/**
 * A process that trains, with its events as they come.
 * @returns exit code and the highest resident memory in bytes
 */
async function train(args, onEvent) {
  const child = spawn(process.execPath, [program, 'train', ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise(resolve => child.once('exit', resolve));
  let peak = 0;
  const watch = globalThis.setInterval(() => (peak = Math.max(peak, peakOf(child.pid))), 500);
  for await (const line of createInterface(child.stdout)) onEvent(JSON.parse(line));
  clearInterval(watch);
  return { code: await ended, peak };
}

function peakOf(pid) {
  try {
    return Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    // It has ended.
    return 0;
  }
}

const megabytes = bytes => `${Math.round(bytes / MB)} MB`;

/** @returns figures, and the run folder for other measurements */
export async function manySteps(folder, steps) {
  const file = prepare(folder, { max_steps: steps, save_steps: steps / 10, eval_steps: steps / 10 });
  const out = join(folder, 'run');
  const rss = new Map();
  const began = performance.now();
  const { code, peak } = await train([file, '--out', out], event => {
    if (event.type === 'step' && event.step % (steps / 10) === 0) rss.set(event.step, event.rss_bytes);
  });
  const seconds = (performance.now() - began) / 1000;
  const at = share => rss.get(steps * share);
  return {
    isGood: code === 0 && at(1) < 1.1 * at(0.1),
    out,
    figures: {
      seconds: Math.round(seconds),
      'resident at 10, 50 and 100%': [0.1, 0.5, 1].map(share => megabytes(at(share))).join(', '),
      'highest (VmHWM)': megabytes(peak),
      'events.ndjson': megabytes(statSync(join(out, 'events.ndjson')).size),
    },
  };
}

/** Pauses, resumes, saves and edits the dataset for some minutes; every fiftieth time the run is stopped and continued by another process. */
export async function pauses(folder, minutes) {
  const file = prepare(folder, { max_steps: 1e7, save_steps: 1e6, eval_steps: 1e6 });
  const out = join(folder, 'run');
  const until = performance.now() + minutes * 60_000;
  const seen = { paused: 0, resumed: 0, checkpoint_saved: 0, started: 0 };
  let lastStep = 0;
  let faults = 0;
  let peak = 0;
  const command = type => appendFileSync(join(out, 'commands.ndjson'), `${JSON.stringify({ type })}\n`);
  while (performance.now() < until) {
    let rounds = 0;
    const again = seen.started > 0;
    const ended = await train(
      [again ? join(out, 'run.json') : file, '--out', out, ...(again ? ['--resume'] : [])],
      async event => {
        if (event.type in seen) seen[event.type]++;
        if (event.type === 'started' && event.resumed_from_step !== lastStep) faults++;
        if (event.type === 'step') {
          if (event.step !== lastStep + 1) faults++;
          lastStep = event.step;
        }
        if (event.type === 'started' || event.type === 'resumed') {
          await setTimeout(150);
          if (++rounds % 50 === 0 || performance.now() > until) command('stop');
          else command('pause');
        }
        if (event.type === 'paused') {
          appendFileSync(join(folder, 'rows.jsonl'), '{"prompt":"New","completion":" row."}\n');
          await setTimeout(50);
          command('save');
          command('resume');
        }
      },
    );
    if (ended.code !== 0) faults++;
    peak = Math.max(peak, ended.peak);
  }
  return { isGood: faults === 0, figures: { ...seen, steps: lastStep, faults, 'highest (VmHWM)': megabytes(peak) } };
}
