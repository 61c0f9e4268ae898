// Runs of the embedded model on a real Ray cluster, against the same runs on this machine. Started by ray.mjs.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ejectable } from '../../extension/src/engine/export/ejectRun.js';
import { openSafetensors } from '../../extension/src/engine/files/safetensors.js';
import type { EngineEvent } from '../../extension/src/protocol/engineEvent.js';
import { bin, succeed, tunewright, workplace, type CliResult, type RunChanges } from '../support/cli.js';

const address = process.env.TUNEWRIGHT_RAY_ADDRESS!;
const place = workplace();
const rows = fileURLToPath(new URL('../../media/datasets/pirate.messages.jsonl', import.meta.url));
const validation = fileURLToPath(new URL('../../media/datasets/pirate.validation.jsonl', import.meta.url));
const env = { TUNEWRIGHT_CONFIG: place.file('config') };

interface Changes extends RunChanges {
  engine?: Record<string, unknown>;
}

function runFile(name: string, { dataset, training, engine, ...rest }: Changes = {}): string {
  return place.run(name, {
    model: 'embedded:tiny',
    dataset: { train: rows, validation, max_length: 128, packing: false, ...dataset },
    training: {
      max_steps: 12,
      per_device_train_batch_size: 4,
      gradient_accumulation_steps: 2,
      learning_rate: 1e-3,
      eval_steps: 6,
      save_steps: 6,
      seed: 7,
      measure_forgetting: false,
      ...training,
    },
    // What the cluster's Python has.
    engine: { backend: 'ray', address, num_workers: 2, runtime_env: {}, ...engine },
    ...rest,
  });
}

const train = (file: string, out: string, ...more: string[]): Promise<CliResult> =>
  succeed(['train', file, '--out', out, '--yes', ...more], { env });

const eventsOf = (out: string): EngineEvent[] =>
  existsSync(`${out}/events.ndjson`) ? lines(`${out}/events.ndjson`) : [];
const lines = (file: string) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter(line => line.endsWith('}'))
    .map(line => JSON.parse(line) as EngineEvent);

/** The last value of each step and evaluation. */
function lossesOf(out: string): Map<string, number> {
  return new Map(
    eventsOf(out).flatMap(event =>
      event.type === 'step' || event.type === 'evaluated' ? [[`${event.type} ${event.step}`, event.loss] as const] : [],
    ),
  );
}

function result(out: string): Map<string, Float32Array> {
  const path = ['adapter/adapter_model', 'adapter/selected_model', 'model/model']
    .map(name => `${out}/${name}.safetensors`)
    .find(existsSync)!;
  const file = openSafetensors(path);
  const tensors = new Map([...file.tensors.values()].map(tensor => [tensor.name, tensor.readFloat32()] as const));
  file.close();
  return tensors;
}

/**
 * Losses within 1e-3, and the result within 1e-3 of its mean size in the mean: AdamW's first updates have the size of the rate, whatever
 * the gradient's, so that a single value whose gradient is all rounding may differ by more.
 */
function expectSame(out: string, reference: string): void {
  const [losses, expected] = [out, reference].map(lossesOf) as [Map<string, number>, Map<string, number>];
  expect([...losses.keys()].sort()).toEqual([...expected.keys()].sort());
  const apart = Math.max(...[...losses].map(([key, loss]) => Math.abs(loss - expected.get(key)!)));
  const [own, other] = [out, reference].map(result) as [Map<string, Float32Array>, Map<string, Float32Array>];
  expect([...own.keys()].sort()).toEqual([...other.keys()].sort());
  let largest = 0;
  let apartInAll = 0;
  let sum = 0;
  for (const [key, values] of own)
    for (const [i, value] of values.entries()) {
      const difference = Math.abs(value - other.get(key)![i]!);
      largest = Math.max(largest, difference);
      apartInAll += difference;
      sum += Math.abs(value);
    }
  const share = apartInAll / sum;
  const figures = [apart, share, largest].map(each => each.toExponential(1));
  console.log(`losses ${figures[0]}, result ${figures[1]} of its mean size (one value by ${figures[2]})`);
  expect(apart).toBeLessThan(1e-3);
  expect(share).toBeLessThan(1e-3);
}

function start(file: string, out: string, ...more: string[]): { child: ChildProcess; ended: Promise<CliResult> } {
  const child = spawn(process.execPath, [bin, 'train', file, '--out', out, '--yes', ...more], {
    env: { ...process.env, ...env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', chunk => (stdout += chunk));
  child.stderr.on('data', chunk => (stderr += chunk));
  const ended = new Promise<CliResult>(resolve => {
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, ended };
}

async function until(out: string, condition: (events: EngineEvent[]) => boolean): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (condition(eventsOf(out))) return;
    await setTimeout(200);
  }
  throw new Error(`waited in vain; the last events are ${JSON.stringify(eventsOf(out).slice(-3))}`);
}

const hasSaved = (events: EngineEvent[]) => events.some(({ type }) => type === 'checkpoint_saved');
const hasStepped = (step: number) => (events: EngineEvent[]) =>
  events.some(event => event.type === 'step' && event.step >= step);
const killed = (pattern: string) => {
  try {
    execFileSync('pkill', ['-9', '-f', pattern]);
  } catch {
    throw new Error(`no process ${pattern}`);
  }
};
/** Long enough to be disturbed. */
const LONG = { training: { max_steps: 200, save_steps: 20, eval_steps: 50 } };

afterAll(() => place.remove());

describe('the numbers', () => {
  it.each([
    ['one worker', { num_workers: 1 }],
    ['two workers, DDP', { num_workers: 2, strategy: 'ddp' }],
    ['two workers, FSDP', { num_workers: 2, strategy: 'fsdp' }],
  ])('%s: losses and adapter are those of this machine', async (name, engine) => {
    const file = runFile('numbers', { engine });
    const out = place.file(`out ${name}`);
    const began = performance.now();
    await train(file, out);
    const seconds = (performance.now() - began) / 1000;
    await train(file, place.file(`here ${name}`), '--on', 'here');
    expectSame(out, place.file(`here ${name}`));
    const { bytes_sent: sent, bytes_fetched: fetched } = JSON.parse(readFileSync(`${out}/ray.json`, 'utf8')) as Record<
      string,
      number
    >;
    const steps = eventsOf(out).flatMap(event => (event.type === 'step' ? event.step_ms : []));
    const training = steps.reduce((sum, ms) => sum + ms, 0) / 1000;
    console.log(
      `${name}: ${seconds.toFixed(1)} s in all, ${training.toFixed(1)} s of steps; sent ${sent}, fetched ${fetched} bytes`,
    );
  });

  it.each(ejectable())('%s with two workers', async method => {
    const options: Record<string, Record<string, unknown>> = {
      SELECTIVE: { select: 'norm' },
      P_TUNING: { num_virtual_tokens: 6, encoder_hidden_size: 32 },
      PROMPT_TUNING: { num_virtual_tokens: 6 },
      PREFIX_TUNING: { num_virtual_tokens: 6 },
    };
    const changes = { method: { peft_type: method, ...options[method] }, training: { max_steps: 6, eval_steps: 3 } };
    const file = runFile(`method ${method}`, changes);
    const [out, here] = [place.file(`out ${method}`), place.file(`here ${method}`)];
    await train(file, out);
    await train(file, here, '--on', 'here');
    expectSame(out, here);
  });

  it('packed rows, and a batch with fewer rows than workers', async () => {
    const file = runFile('packed', {
      dataset: { packing: true },
      training: { per_device_train_batch_size: 1, gradient_accumulation_steps: 3, max_steps: 6, eval_steps: 3 },
    });
    await train(file, place.file('packed out'));
    await train(file, place.file('packed here'), '--on', 'here');
    expectSame(place.file('packed out'), place.file('packed here'));
  });
});

describe('what happens on the way', () => {
  const long = runFile('long', LONG);
  const here = place.file('long here');
  beforeAll(() => train(long, here, '--on', 'here'));

  it('a killed worker doesn’t lose the run', async () => {
    const out = place.file('killed worker');
    const { ended } = start(long, out);
    await until(out, hasSaved);
    killed('ray::RayTrainWorker');
    expect((await ended).code).toBe(0);
    expect(eventsOf(out).flatMap(event => (event.type === 'warned' ? event.code : []))).toContain('worker_lost');
    expectSame(out, here);
  });

  it('a process that was killed leaves the job, which --resume follows to its end', async () => {
    const out = place.file('killed here');
    const { child, ended } = start(long, out);
    await until(out, hasStepped(10));
    child.kill('SIGKILL');
    await ended;
    await train(long, out, '--resume');
    expect(eventsOf(out).filter(({ type }) => type === 'step')).toHaveLength(200);
    expectSame(out, here);
  });

  it('stopped there, it goes on here', async () => {
    const out = place.file('there and here');
    const { child, ended } = start(long, out);
    await until(out, hasStepped(10));
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    expect(code, stderr).toBe(0);
    expect(eventsOf(out).at(-1)).toMatchObject({ type: 'completed', reason: 'stopped' });
    await train(long, out, '--resume', '--on', 'here');
    expectSame(out, here);
  });

  it('stopped here, it goes on there', async () => {
    const out = place.file('here and there');
    const { child, ended } = start(long, out, '--on', 'here');
    await until(out, hasStepped(10));
    child.kill('SIGINT');
    await ended;
    await train(long, out, '--resume', '--on', address);
    expect(eventsOf(out).findLast(({ type }) => type === 'started')).toMatchObject({ engine: { backend: 'ray' } });
    expectSame(out, here);
  });

  it('a driver that is killed is said, and --resume starts a new job from the last checkpoint', async () => {
    const out = place.file('killed driver');
    const { ended } = start(long, out);
    await until(out, hasSaved);
    killed('train_on_ray.py$');
    const { code, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/the job ended with status FAILED/);
    await train(long, out, '--resume');
    expectSame(out, here);
  });

  it('obeys pause, save and stop', async () => {
    const out = place.file('obeys');
    const { ended } = start(long, out);
    await until(out, hasStepped(5));
    const command = (type: string) => appendFileSync(`${out}/commands.ndjson`, `${JSON.stringify({ type })}\n`);
    command('pause');
    await until(out, events => events.some(({ type }) => type === 'paused'));
    command('save');
    await until(out, hasSaved);
    command('resume');
    await until(out, events => events.some(({ type }) => type === 'resumed'));
    command('stop');
    expect((await ended).code).toBe(0);
    expect(existsSync(`${out}/adapter/adapter_model.safetensors`)).toBe(true);
  });

  it('says what it waits for, and is cancelled in the queue', async () => {
    const out = place.file('queue');
    const { child, ended } = start(runFile('queue', { engine: { num_workers: 5 } }), out);
    await until(out, events => events.some(({ type }) => type === 'queued'));
    expect(eventsOf(out).find(({ type }) => type === 'queued')).toMatchObject({
      wanted: { CPU: 5 },
      total: { CPU: 2 },
    });
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    expect(stderr).toMatch(/cancelled before it trained/);
    expect(code).not.toBe(0);
  });

  it('checkpoints come by storage_path, if this machine has the folder', async () => {
    const storage = place.file('storage');
    const out = place.file('by storage');
    const file = runFile('storage', { engine: { storage_path: storage } });
    execFileSync('mkdir', [storage]);
    await train(file, out);
    await train(file, place.file('storage here'), '--on', 'here');
    expectSame(out, place.file('storage here'));
    expect(readFileSync(`${out}/job.log`, 'utf8')).not.toMatch(/"type":"piece"/);
  });
});

it('weights that aren’t finite end all workers at once', async () => {
  // 0 divided by 0 in the first update, whose loss is still finite.
  const training = { adam_epsilon: 1e-60, save_steps: 1, max_steps: 2 };
  const file = runFile('not finite', { training });
  const { code, stderr } = await tunewright(['train', file, '--out', place.file('not finite'), '--yes'], { env });
  expect(code, stderr).toBe(1);
  expect(stderr).toMatch(/weights are non-finite after step 1/);
});

it('the last samples come from the weights that are kept, with any seed', async () => {
  const out = place.file('best');
  const training = {
    max_steps: 8,
    eval_steps: 2,
    learning_rate: 0.3,
    lr_scheduler_type: 'constant',
    seed: 20240101123456,
  };
  await train(runFile('best', { training, samples: { prompts: ['Who are you?'], max_new_tokens: 4 } }), out);
  const events = eventsOf(out);
  const { best_step: best, step } = events.find(event => event.type === 'completed')!;
  expect(best).not.toBe(step);
  expect(events.findLast(event => event.type === 'sample')!.step).toBe(best);
});

it('a folder that the cluster can’t use is said by its key', async () => {
  const file = runFile('no storage', { engine: { storage_path: '/proc/none' } });
  const { code, stderr } = await tunewright(['train', file, '--out', place.file('no storage'), '--yes'], { env });
  expect(code, stderr).toBe(2);
  expect(stderr).toMatch(/engine\.storage_path: the cluster can't use \/proc\/none/);
});
