// Runs on a stand-in for a Ray cluster: what is sent, what comes back, and all that can go wrong between. The real thing is tested by
// `npm run test:ray`.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { EngineError } from '../../../extension/src/protocol/engineError.js';
import type { EngineEvent } from '../../../extension/src/protocol/engineEvent.js';
import { CodedError } from '../../../extension/src/core/codedError.js';
import { openSafetensors } from '../../../extension/src/engine/files/safetensors.js';
import { trainOnRay, type ClusterRunRequest } from '../../../extension/src/engine/ray/trainOnRay.js';
import { silentReporter } from '../../../extension/src/engine/run/reporter.js';
import { trainRun } from '../../../extension/src/engine/run/trainRun.js';
import { initialRunState, reduceRun } from '../../../extension/src/core/runs/runState.js';
import { workplace, type RunChanges } from '../../support/cli.js';
import { startRayServer, type RayServer, type RayServerOptions, type StandInJob } from '../../support/rayServer.js';

vi.setConfig({ testTimeout: 60_000 });

const place = workplace();
let server: RayServer | null = null;
let number = 0;

beforeEach(() => vi.stubEnv('TUNEWRIGHT_CONFIG', place.file('config')));
afterEach(async () => {
  vi.unstubAllEnvs();
  await server?.close();
  server = null;
});
afterAll(() => place.remove());

async function start(
  train: (job: StandInJob, number: number) => Promise<void> | void,
  options?: RayServerOptions,
): Promise<RayServer> {
  return (server = await startRayServer(train, options));
}

interface Options {
  changes?: RunChanges & { engine?: Record<string, unknown> };
  out?: string;
  resume?: boolean;
  signal?: AbortSignal;
  onEvent?(event: EngineEvent): void;
  confirm?: ClusterRunRequest['confirm'];
}

function requestOf({ changes, out, resume = false, signal, onEvent, confirm }: Options = {}): ClusterRunRequest {
  const name = `run${number++}`;
  const engine = { backend: 'ray', address: server!.url, num_workers: 2, ...changes?.engine };
  return {
    runFile: place.run(name, { ...changes, training: { measure_forgetting: false, ...changes?.training }, engine }),
    out: out ?? place.file(`out-${name}`),
    resume,
    force: false,
    reporter: silentReporter,
    signal: signal ?? new AbortController().signal,
    onEvent: onEvent ?? (() => {}),
    confirm: confirm ?? (async () => true),
  };
}

const typesOf = (events: readonly EngineEvent[]) => events.map(({ type }) => type);
const eventsIn = (out: string) =>
  readFileSync(`${out}/events.ndjson`, 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as EngineEvent);
const stateOf = (out: string) => eventsIn(out).reduce(reduceRun, initialRunState);
const values = (path: string) => {
  const file = openSafetensors(path);
  const read = new Map([...file.tensors.values()].map(tensor => [tensor.name, tensor.readFloat32()]));
  file.close();
  return read;
};

async function failureOf(work: Promise<unknown>): Promise<EngineError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(CodedError);
  return (error as CodedError).record();
}

/** What a job does that goes well. */
async function goesWell(job: StandInJob, steps = 6): Promise<void> {
  await job.begin();
  for (let step = 1; step <= steps; step++) job.step(step);
  job.checkpoint(steps);
  job.complete(steps);
}

it('sends rows, order, start and base, and writes the events and the adapter of any run', async () => {
  let sent: StandInJob | null = null;
  await start(async job => {
    sent = job;
    job.hello();
    await job.receive();
    job.queued(0);
    job.line('a line for people');
    job.workers();
    for (let step = 1; step <= 6; step++) job.step(step);
    job.checkpoint(6, { shift: 0.5 });
    job.complete(6);
  });
  const request = requestOf({ changes: { dataset: { packing: false } } });
  const { result, outcome } = await trainOnRay(request);
  expect(outcome.reason).toBe('finished');
  const job = sent!;
  expect(job.settings).toMatchObject({
    num_workers: 2,
    model: null,
    peft: { configClass: 'LoraConfig', config: { r: 8 } },
    optimizer: { learning_rate: 5e-3 },
    resume: null,
  });
  expect(Object.keys(job.settings.files).sort()).toEqual([
    'model/config.json',
    'model/model.safetensors',
    'order.jsonl',
    'start/adapter_model.safetensors',
    'train.jsonl',
  ]);
  const order = job.lines('order.jsonl') as number[][][];
  expect(order).toHaveLength(6);
  expect(order.every(([batch]) => batch!.length === 2)).toBe(true);
  expect(job.lines('train.jsonl')).toHaveLength(24);
  const events = eventsIn(request.out);
  expect(typesOf(events)).toEqual([
    'queued',
    'started',
    'workers',
    ...Array.from({ length: 6 }, () => 'step'),
    'checkpoint_saved',
    'completed',
  ]);
  expect(events[1]).toMatchObject({ engine: { backend: 'ray', device: '2 × CPU' }, total_steps: 6 });
  expect(events[3]).toMatchObject({ rss_bytes: 1e8 + 1, workers: [{ tokens_per_second: 50 }, { rss_bytes: 1e8 + 1 }] });
  const [saved, trained] = [
    `${request.out}/checkpoints/step-6/trainable.safetensors`,
    `${result}/adapter_model.safetensors`,
  ].map(values) as [Map<string, Float32Array>, Map<string, Float32Array>];
  expect([...trained.keys()].sort()).toEqual([...saved.keys()].sort());
  for (const [key, tensor] of trained) expect(tensor).toEqual(saved.get(key));
  expect(readFileSync(`${request.out}/job.log`, 'utf8')).toBe('a line for people\n');
  expect(existsSync(`${request.out}/ray.tmp`)).toBe(false);
});

it('sends nothing that the cluster has already', async () => {
  const have = new Set<string>();
  const wanted: number[] = [];
  await start(async job => {
    job.hello();
    const before = have.size;
    await job.receive(part => have.has(part));
    for (const file of Object.values(job.settings.files)) for (const { sha256 } of file.parts) have.add(sha256);
    wanted.push(have.size - before);
    job.workers();
    job.step(1);
    job.checkpoint(1);
    job.complete(1);
  });
  await trainOnRay(requestOf());
  const puts = server!.requests.filter(request => request.startsWith('PUT')).length;
  // Other rows, the same base: config.json, weights, start and order are there.
  await trainOnRay(requestOf({ changes: { training: { learning_rate: 1e-3 } } }));
  expect(wanted).toEqual([5, 0]);
  // Only the program with its settings.
  expect(server!.requests.filter(request => request.startsWith('PUT')).length).toBe(puts + 1);
});

it('asks before anything is sent, and sends nothing without consent', async () => {
  await start(goesWell);
  const asked: unknown[] = [];
  const request = requestOf({
    confirm: async (address, sent) => {
      asked.push(address, ...sent);
      return false;
    },
  });
  const failure = await failureOf(trainOnRay(request));
  expect(failure.code).toBe('cancelled');
  expect(asked).toEqual([
    server!.url,
    '24 training rows, as token ids',
    expect.stringMatching(/^the base model .*base, if the cluster doesn’t have it$/),
    expect.stringContaining('settings of the run'),
  ]);
  expect(server!.requests).toEqual(['GET /api/version']);
  expect(existsSync(request.out)).toBe(false);
});

it('sends the token of the environment with every request, and writes it nowhere', async () => {
  vi.stubEnv('RAY_AUTH_TOKEN', 'secret-token');
  vi.stubEnv('RAY_JOB_HEADERS', '{"X-Team": "sailors"}');
  await start(goesWell);
  const request = requestOf();
  await trainOnRay(request);
  for (const headers of server!.headers)
    expect(headers).toMatchObject({ authorization: 'Bearer secret-token', 'x-team': 'sailors' });
  for (const name of ['events.ndjson', 'run.json', 'ray.json'])
    expect(readFileSync(`${request.out}/${name}`, 'utf8')).not.toContain('secret-token');
});

it('goes on following after the connection broke, without an event twice', async () => {
  await start(async job => {
    await job.begin();
    job.step(1);
    job.breakConnections();
    await new Promise(resolve => setTimeout(resolve, 100));
    job.step(2);
    job.checkpoint(2);
    job.breakConnections();
    await new Promise(resolve => setTimeout(resolve, 600));
    job.complete(2);
  });
  const request = requestOf();
  await trainOnRay(request);
  expect(typesOf(eventsIn(request.out))).toEqual([
    'started',
    'workers',
    'step',
    'step',
    'checkpoint_saved',
    'completed',
  ]);
});

it('a cluster that can’t be reached for a while is waited for, with a warning', async () => {
  const running = start(async job => {
    await job.begin();
    job.step(1);
    await new Promise(resolve => setTimeout(resolve, 1000));
    await server!.setReachable(false);
    await new Promise(resolve => setTimeout(resolve, 2000));
    job.checkpoint(2);
    await server!.setReachable(true);
    job.complete(2);
  });
  await running;
  const request = requestOf();
  await trainOnRay(request);
  expect(eventsIn(request.out).flatMap(event => (event.type === 'warned' ? event.code : []))).toEqual([
    'cluster_unreachable',
    'cluster_reached',
  ]);
});

it('a worker that was lost: the loss goes on from the last checkpoint', async () => {
  await start(async job => {
    await job.begin();
    job.step(1);
    job.checkpoint(1);
    job.step(2);
    job.workers(1, 1);
    job.step(2, 5);
    job.checkpoint(2);
    job.complete(2);
  });
  const request = requestOf();
  await trainOnRay(request);
  const state = stateOf(request.out);
  expect([...state.steps.column('loss')]).toEqual([1.9, 5]);
  expect(state.workers?.restarts).toBe(1);
  expect(state.log.map(({ text }) => text)).toContainEqual(expect.stringContaining('a worker was lost'));
});

it('another process goes on following a job, and the folder is as if nothing had happened', async () => {
  let open = () => {};
  const gate = new Promise<void>(resolve => (open = resolve));
  await start(async job => {
    await job.begin();
    job.step(1);
    job.checkpoint(1);
    await gate;
    job.step(2);
    job.checkpoint(2);
    job.complete(2);
  });
  const request = requestOf();
  // The process ends at an error of its own, and the job doesn't notice.
  const broken = trainOnRay({
    ...request,
    onEvent: event => {
      if (event.type === 'checkpoint_saved') throw new Error('the process ended');
    },
  });
  await expect(broken).rejects.toThrow('the process ended');
  open();
  const { outcome } = await trainOnRay({
    ...request,
    resume: true,
    confirm: () => Promise.reject(new Error('not again')),
  });
  expect(outcome.reason).toBe('finished');
  expect(server!.jobs).toHaveLength(1);
  const state = stateOf(request.out);
  expect([...state.steps.column('step')]).toEqual([1, 2]);
  expect(state.status).toBe('completed');
});

it('resumes on the cluster from a checkpoint of this machine, and the other way round', async () => {
  await start(async (job, job0) => {
    job.hello();
    await job.receive();
    if (job0 === 0) {
      expect(job.settings.resume).toMatchObject({ step: 3 });
      expect(job.file('resume/trainable.safetensors').length).toBeGreaterThan(1000);
      expect(job.file('resume/optimizer.safetensors').length).toBeGreaterThan(1000);
    }
    job.workers(3);
    for (const step of [4, 5]) job.step(step);
    job.checkpoint(5, { shift: 0 });
    job.complete(5, 'stopped');
  });
  const request = requestOf({ changes: { training: { save_steps: 3 } } });
  const stopping = new AbortController();
  await trainRun({
    ...request,
    engine: { backend: 'auto' },
    signal: stopping.signal,
    onEvent: event => event.type === 'checkpoint_saved' && stopping.abort(),
  });
  const onCluster = { backend: 'ray' as const, address: server!.url };
  const { outcome } = await trainOnRay({ ...request, resume: true, engine: onCluster });
  expect(outcome).toMatchObject({ reason: 'stopped', state: { step: 5 } });
  const back = await trainRun({ ...request, resume: true, engine: { backend: 'auto' } });
  expect(back.outcome).toMatchObject({ reason: 'finished', state: { step: 6 } });
  expect([...stateOf(request.out).steps.column('step')]).toEqual([1, 2, 3, 4, 5, 6]);
});

it('a run that moved to a cluster goes on there, also if it was disturbed before its first checkpoint', async () => {
  await start(async (job, job0) => {
    await job.begin(3);
    if (job0 === 0) return job.end('FAILED', 'The driver died.');
    expect(job.settings.resume).toMatchObject({ step: 3 });
    job.step(4);
    job.checkpoint(4, { shift: 0 });
    return job.complete(4, 'stopped');
  });
  const request = requestOf({ changes: { engine: { backend: 'auto', address: null }, training: { save_steps: 3 } } });
  const stopping = new AbortController();
  await trainRun({
    ...request,
    signal: stopping.signal,
    onEvent: event => event.type === 'checkpoint_saved' && stopping.abort(),
  });
  const onCluster = { backend: 'ray' as const, address: server!.url };
  await expect(trainOnRay({ ...request, resume: true, engine: onCluster })).rejects.toThrow('The driver died.');
  const own = { ...request, runFile: `${request.out}/run.json`, resume: true };
  expect((await trainOnRay(own)).outcome.state.step).toBe(4);
  expect(stateOf(request.out).log.map(({ text }) => text)).not.toContainEqual(expect.stringContaining('other values'));
});

it('checkpoints come from storage_path where this machine has the folder, else over the log', async () => {
  let job: StandInJob | null = null;
  await start(async started => goesWell((job = started), 2));
  const storage = place.file('storage');
  mkdirSync(storage);
  for (const [path, by] of [
    [storage, 'folder'],
    [place.file('not here'), 'log'],
  ] as const) {
    const { result } = await trainOnRay(requestOf({ changes: { engine: { storage_path: path } } }));
    expect(existsSync(`${result}/adapter_model.safetensors`)).toBe(true);
    expect(job!.log.includes('"type":"piece"')).toBe(by === 'log');
    // The file by which the job learned of it is gone.
    expect(readdirSync(storage, { recursive: true }).filter(name => String(name).includes('reader-'))).toEqual([]);
  }
});

it('stops and saves by an order to the job', async () => {
  await start(async job => {
    await job.begin();
    job.step(1);
    await job.ordered('stop');
    job.checkpoint(1);
    job.complete(1, 'stopped');
  });
  const stopping = new AbortController();
  const request = requestOf({
    signal: stopping.signal,
    onEvent: event => event.type === 'step' && stopping.abort(),
  });
  const { outcome, result } = await trainOnRay(request);
  expect(outcome.reason).toBe('stopped');
  expect(existsSync(`${result}/adapter_config.json`)).toBe(true);
});

it('cancels a job that hasn’t begun', async () => {
  await start(() => {}, { pending: true });
  const stopping = new AbortController();
  setTimeout(() => stopping.abort(), 300);
  const request = requestOf({ signal: stopping.signal });
  const failure = await failureOf(trainOnRay(request));
  expect(failure.code).toBe('cancelled');
  expect(server!.jobs[0]!.status).toBe('STOPPED');
  expect(eventsIn(request.out).at(-1)).toMatchObject({ type: 'failed', code: 'cancelled' });
});

it.each<[string, RayServerOptions, (job: StandInJob) => Promise<void> | void, Partial<EngineError>]>([
  [
    'an old version',
    { version: '2.9.3' },
    () => {},
    { code: 'bad_input', key: 'engine.address', message: expect.stringContaining('Ray 2.9.3') as string },
  ],
  [
    'a login that is wanted',
    { refuse: 401 },
    () => {},
    { code: 'server_failed', hint: expect.stringContaining('RAY_AUTH_TOKEN') as string },
  ],
  [
    'an environment that can’t be made',
    {},
    job => job.end('FAILED', 'runtime_env setup failed: no module named torch'),
    { code: 'bad_input', key: 'engine.runtime_env' },
  ],
  [
    'a driver that is gone',
    {},
    job => {
      job.hello();
      job.end('FAILED', 'The driver died.');
    },
    { code: 'server_failed', message: 'the job ended with status FAILED: The driver died.' },
  ],
  ['a job stopped by others', {}, job => job.end('STOPPED'), { code: 'cancelled' }],
  [
    'a worker without memory',
    {},
    job => {
      job.say({ type: 'failed', code: 'out_of_memory', message: 'a worker ran out of memory' });
      job.end('FAILED');
    },
    { code: 'out_of_memory', hint: expect.stringContaining('More workers') as string },
  ],
  [
    'workers that are lost again and again',
    {},
    job => {
      job.say({ type: 'failed', code: 'worker_lost', message: 'workers were lost more than 3 times' });
      job.end('FAILED');
    },
    { code: 'worker_lost' },
  ],
  [
    'a hub that the cluster can’t reach',
    {},
    job => {
      job.say({ type: 'failed', code: 'model_not_found', message: 'a worker can’t load the model', hint: 'Check.' });
      job.end('FAILED');
    },
    { code: 'bad_input', key: 'model', hint: 'Check.' },
  ],
  [
    'losses that aren’t finite',
    {},
    job => {
      job.say({ type: 'failed', code: 'diverged', message: 'the loss of step 2 is non-finite', step: 2 });
      job.end('FAILED');
    },
    { code: 'diverged' },
  ],
  [
    'a checkpoint that arrives damaged',
    {},
    async job => {
      await job.begin();
      job.checkpoint(1, { damage: true });
      job.complete(1);
    },
    { code: 'server_failed', message: expect.stringContaining('didn’t arrive') as string },
  ],
])('%s is said in clear words', async (_name, options, train, expected) => {
  await start(train, options);
  const request = requestOf();
  expect(await failureOf(trainOnRay(request))).toMatchObject(expected);
  if (existsSync(request.out)) expect(eventsIn(request.out).at(-1)).toMatchObject({ type: 'failed' });
});

it('a head that was restarted doesn’t know the job', async () => {
  await start(async job => {
    await job.begin();
    job.step(1);
    job.checkpoint(1);
    await new Promise(resolve => setTimeout(resolve, 300));
    server!.forget();
  });
  const request = requestOf();
  expect(await failureOf(trainOnRay(request))).toMatchObject({
    code: 'server_failed',
    message: expect.stringContaining('doesn’t know the job') as string,
  });
  // Then it goes on from the checkpoint that has come.
  expect(eventsIn(request.out).at(-1)).toMatchObject({ type: 'failed', last_checkpoint: 'checkpoints/step-1' });
});

it('an unreachable cluster is an error before anything is made', async () => {
  await start(() => {});
  const request = requestOf();
  await server!.close();
  expect(await failureOf(trainOnRay(request))).toMatchObject({
    code: 'unreachable',
    message: expect.stringContaining('the Ray cluster at') as string,
  });
  expect(existsSync(request.out)).toBe(false);
  server = null;
});

it.each<[string, RunChanges, string]>([
  ['a method that PEFT doesn’t have', { method: { peft_type: 'BOTTLENECK_ADAPTER' } }, 'method.peft_type'],
  ['weights in few bits', { engine: { base_weights: 'int8' } }, 'engine.base_weights'],
  [
    'metrics of answers',
    { dataset: { validation: 0.2 }, training: { eval_metrics: ['rougeL'] } },
    'training.eval_metrics',
  ],
  ['no address', { engine: { address: null } }, 'engine.address'],
])('%s is refused by its key, before a request', async (_name, changes, key) => {
  await start(goesWell);
  expect(await failureOf(trainOnRay(requestOf({ changes })))).toMatchObject({ code: 'bad_input', key });
  expect(server!.requests).toEqual([]);
});

it('checkpoints that came over the log leave nothing behind, also those that were there before', async () => {
  await start(async job => {
    await job.begin();
    job.step(1);
    job.checkpoint(1);
    job.step(2);
  });
  const request = requestOf();
  const arriving = () => readdirSync(`${request.out}/ray.tmp/arriving`);
  // One process dies after the checkpoint, another follows.
  let left: string[] | null = null;
  const dying = {
    ...request,
    onEvent: (event: EngineEvent) => {
      if (event.type !== 'step' || event.step !== 2) return;
      left = arriving();
      throw new Error('this process dies');
    },
  };
  await expect(trainOnRay(dying)).rejects.toThrow('this process dies');
  expect(left).toEqual([]);
  left = null;
  const following = trainOnRay({
    ...request,
    resume: true,
    onEvent: event => event.type === 'step' && (left = arriving()),
  });
  server!.jobs[0]!.step(3);
  server!.jobs[0]!.checkpoint(3);
  server!.jobs[0]!.complete(3);
  await following;
  expect(left).toEqual([]);
  expect(stateOf(request.out).status).toBe('completed');
});

it('what a job says last is not replaced by what follows', async () => {
  await start(async job => {
    await job.begin();
    job.say({ type: 'failed', code: 'diverged', message: 'the loss of step 1 is non-finite', step: 1 });
    job.say({ type: 'failed', code: 'internal', message: 'SystemExit: 1' });
    job.end('FAILED');
  });
  expect((await failureOf(trainOnRay(requestOf()))).code).toBe('diverged');
});

it('a folder that is moved away meanwhile is said, and its job followed from where it is', async () => {
  await start(async job => {
    await job.begin();
    job.step(1);
  });
  const request = requestOf();
  const moved = `${request.out} moved`;
  const onEvent = (event: EngineEvent) => event.type === 'step' && renameSync(request.out, moved);
  const failure = await failureOf(trainOnRay({ ...request, onEvent }));
  expect(failure).toMatchObject({ code: 'bad_input', message: expect.stringContaining('deleted or moved') as string });
  const [job] = server!.jobs;
  expect(job!.status).toBe('RUNNING');
  const following = trainOnRay({ ...request, out: moved, resume: true });
  job!.checkpoint(1);
  job!.complete(1);
  expect((await following).outcome.state.step).toBe(1);
  expect(server!.jobs).toHaveLength(1);
});

it('a run that made the model worse says so, as on this machine', async () => {
  await start(async job => {
    await job.begin();
    for (let step = 1; step <= 3; step++) job.step(step, 3);
    job.checkpoint(3);
    job.complete(3);
  });
  const request = requestOf();
  await trainOnRay(request);
  expect(stateOf(request.out).log.map(({ text }) => text)).toContainEqual(
    expect.stringContaining('the training loss rose from 2.000 to 3.000'),
  );
});

it('a finished run that is resumed still says how much memory it took', async () => {
  await start(async (job, number) => {
    if (number === 0) return goesWell(job);
    await job.begin(6);
    return job.complete(6);
  });
  const request = requestOf();
  await trainOnRay(request);
  await trainOnRay({ ...request, resume: true });
  expect(eventsIn(request.out).at(-1)).toMatchObject({ type: 'completed', peak_rss_bytes: 1e8 + 1 });
});

it('a stop before the first step is a cancellation, not a fault', async () => {
  await start(async job => {
    await job.begin();
    job.complete(0, 'stopped');
  });
  expect(await failureOf(trainOnRay(requestOf()))).toMatchObject({
    code: 'cancelled',
    message: 'The job was stopped before its first step.',
  });
});

it('files aren’t sent to a job that has ended meanwhile', async () => {
  let job: StandInJob | null = null;
  await start(started => {
    job = started;
    job.hello();
    const parts = Object.values(job.settings.files).flatMap(file => file.parts.map(({ sha256 }) => sha256));
    job.say({ type: 'wants', parts: [...new Set(parts)] });
    job.say({ type: 'cancelled' });
    job.end('SUCCEEDED');
  });
  const failure = await failureOf(trainOnRay(requestOf()));
  expect(failure.code).toBe('cancelled');
  // The program only.
  expect(server!.requests.filter(request => request.startsWith('PUT')).length).toBe(1);
});

it('a best checkpoint that can’t be read is not replaced without a word', async () => {
  await start(async job => {
    await job.begin();
    job.step(1);
    job.checkpoint(1, { best: 1 });
    job.step(2);
    job.checkpoint(2, { best: 1 });
    job.complete(2, 'finished', 1);
  });
  const request = requestOf({
    changes: { dataset: { validation: 0.3 }, training: { load_best_model_at_end: true } },
    onEvent: event => {
      if (event.type === 'step' && event.step === 2)
        writeFileSync(`${request.out}/checkpoints/step-1/trainable.safetensors`, 'damaged');
    },
  });
  await trainOnRay(request);
  expect(stateOf(request.out).log.map(({ text }) => text)).toContainEqual(
    expect.stringContaining('the result is that of step 2'),
  );
});
