// A stand-in for a Ray cluster on loopback: the REST API of its jobs and the WebSocket of their logs. What a job does is the test's to say.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { unzipSync } from 'fflate';
import { WebSocketServer, type WebSocket } from 'ws';
import { openSafetensors, writeSafetensors } from '../../extension/src/engine/files/safetensors.js';

interface JobSettings {
  run: string;
  num_workers: number;
  steps?: number;
  storage_path: string | null;
  storage_token: string | null;
  model: string | null;
  start: { kind: string; file: string } | null;
  resume: { step: number } | null;
  files: Record<string, { bytes: number; parts: { sha256: string; bytes: number }[] }>;
  [key: string]: unknown;
}

export class StandInJob {
  status = 'RUNNING';
  message: string | null = null;
  log = '';
  readonly sockets = new Set<WebSocket>();
  private count = 0;
  private readonly orders: string[] = [];
  private readonly waiting: (() => void)[] = [];

  constructor(
    readonly id: string,
    readonly settings: JobSettings,
    private readonly packages: ReadonlyMap<string, Buffer>,
    readonly runtimeEnv: Record<string, unknown>,
  ) {}

  say(message: { type: string } & Record<string, unknown>): void {
    this.line(`TUNEWRIGHT ${JSON.stringify({ n: this.count++, ...message })}`);
  }

  line(text: string): void {
    const added = `${text}\n`;
    this.log += added;
    for (const socket of this.sockets) socket.send(added);
  }

  order(command: string): void {
    this.orders.push(command);
    this.waiting.splice(0).forEach(wake => wake());
  }

  async ordered(command: string): Promise<void> {
    while (!this.orders.includes(command)) await new Promise<void>(resolve => this.waiting.push(resolve));
    this.orders.splice(this.orders.indexOf(command), 1);
  }

  end(status: string, message: string | null = null): void {
    this.status = status;
    this.message = message;
    for (const socket of this.sockets) socket.close();
  }

  /** The connections break; the job goes on. */
  breakConnections(): void {
    for (const socket of this.sockets) socket.terminate();
  }

  /** A file of the job, put together from its parts. */
  file(name: string): Buffer {
    const parts = this.settings.files[name]!.parts.map(({ sha256 }) => {
      const archive = this.packages.get(`_ray_pkg_${sha256.slice(0, 40)}.zip`);
      if (!archive) throw new Error(`part ${sha256} of ${name} was not sent`);
      const content = Buffer.from(unzipSync(archive)[`tunewright_parts/${sha256}`]!);
      if (hash(content) !== sha256) throw new Error(`part ${sha256} of ${name} is not what its name says`);
      return content;
    });
    return Buffer.concat(parts);
  }

  lines(name: string): unknown[] {
    return this.file(name)
      .toString('utf8')
      .split('\n')
      .filter(Boolean)
      .map(line => JSON.parse(line) as unknown);
  }

  // What the real program says, in the order in which it does.

  hello(): void {
    this.say({ type: 'hello', ray: '2.60.0', python: '3.11', packages: { torch: '2.15.0' } });
  }

  /** Asks for the parts that `have` doesn't have, and waits for them. */
  async receive(have: (sha256: string) => boolean = () => false): Promise<void> {
    const parts = Object.values(this.settings.files).flatMap(file => file.parts.map(({ sha256 }) => sha256));
    const missing = [...new Set(parts)].filter(part => !have(part));
    if (missing.length === 0) return;
    this.say({ type: 'wants', parts: missing });
    await this.ordered('sent');
  }

  /** All that comes before the first step. */
  async begin(step = 0, restarts = 0): Promise<void> {
    this.hello();
    await this.receive();
    this.workers(step, restarts);
  }

  queued(available: number): void {
    const wanted = { CPU: this.settings.num_workers };
    this.say({ type: 'queued', wanted, available: { CPU: available }, total: { CPU: 2 }, nodes: 1 });
  }

  workers(step = 0, restarts = 0): void {
    const workers = Array.from({ length: this.settings.num_workers }, (_, rank) => ({
      rank,
      node: '127.0.0.1',
      device: 'CPU',
      threads: 1,
    }));
    const strategy = workers.length > 1 ? 'ddp' : null;
    const parameters = { trainable_parameters: 100, total_parameters: 1000 };
    this.say({ type: 'workers', workers, strategy, restarts, step, ...parameters, torch: '2.15.0' });
  }

  step(step: number, loss = 2 - step / 10): void {
    const workers = Array.from({ length: this.settings.num_workers }, (_, rank) => ({
      tokens_per_second: 50,
      rss_bytes: 1e8 + rank,
    }));
    const speed = { num_tokens: step * 10, tokens_per_second: 100, step_ms: 100 };
    this.say({ type: 'step', step, loss, grad_norm: 1, learning_rate: 1e-3, ...speed, workers });
  }

  /** A checkpoint with the values of the start, each with `shift` added. */
  checkpoint(step: number, { shift = step, damage = false, best = null as number | null } = {}): void {
    const { storage_path: storage, storage_token: token, run } = this.settings;
    const folder =
      storage !== null && token !== null && existsSync(join(storage, run, token)) ? join(storage, run) : null;
    if (folder !== null) mkdirSync(join(folder, `step-${step}`), { recursive: true });
    for (const [name, content] of Object.entries(this.tensors(shift))) {
      if (folder !== null) writeFileSync(join(folder, `step-${step}`, name), content);
      for (let offset = 0; folder === null && offset < content.length; offset += 4096) {
        const data = content.subarray(offset, offset + 4096).toString('base64');
        this.say({ type: 'piece', path: `step-${step}/${name}`, offset, data });
      }
    }
    const files = Object.fromEntries(
      Object.entries(this.tensors(shift)).map(([name, content]) => [
        name,
        { bytes: content.length, sha256: damage ? '0'.repeat(64) : hash(content) },
      ]),
    );
    this.say({ type: 'checkpoint', state: this.state(step, best), shared: folder !== null, files });
  }

  state(step: number, best: number | null = null) {
    return {
      step,
      num_tokens: step * 10,
      best_step: best,
      best_loss: best === null ? null : 1,
      best_metric: best === null ? null : 1,
      initial_loss: 2,
      initial_metric: null,
      evaluated: null,
      evaluations_without_improvement: 0,
      train_seconds: step / 10,
    };
  }

  complete(step: number, reason = 'finished', best: number | null = null): void {
    this.say({ type: 'completed', reason, state: this.state(step, best) });
    this.end('SUCCEEDED', 'Job finished successfully.');
  }

  /** Trained values and moments, made of the start that was sent. */
  tensors(shift: number): Record<string, Buffer> {
    const folder = mkdtempSync(join(tmpdir(), 'tunewright-ray-'));
    try {
      const from = join(folder, 'start.safetensors');
      writeFileSync(from, this.file(`start/${this.settings.start!.file}`));
      const start = openSafetensors(from);
      const values = [...start.tensors.values()].map(tensor => ({ ...tensor, values: tensor.readFloat32() }));
      start.close();
      const write = (name: string, entries: { name: string; shape: readonly number[]; data: Float32Array }[]) => {
        writeSafetensors(
          join(folder, name),
          entries.map(entry => ({ ...entry, dtype: 'F32' as const })),
        );
        return readFileSync(join(folder, name));
      };
      return {
        'trainable.safetensors': write(
          'trainable.safetensors',
          values.map(({ name, shape, values: own }) => ({ name, shape, data: own.map(value => value + shift) })),
        ),
        'optimizer.safetensors': write(
          'optimizer.safetensors',
          values.flatMap(({ name, shape, values: own }) =>
            ['exp_avg', 'exp_avg_sq'].map(moment => ({ name: `${name}.${moment}`, shape, data: own.map(() => 0.25) })),
          ),
        ),
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

export interface RayServer {
  url: string;
  /** `METHOD path` of each request so far. */
  requests: string[];
  headers: IncomingMessage['headers'][];
  packages: Map<string, Buffer>;
  /** Those that train, in order. */
  jobs: StandInJob[];
  /** Forgets its jobs, as a head that was restarted. */
  forget(): void;
  /** Answers nothing until it is called again. */
  setReachable(reachable: boolean): Promise<void>;
  close(): Promise<void>;
}

export interface RayServerOptions {
  version?: string;
  /** The status of all answers. */
  refuse?: number;
  /** Status of a job that was submitted, before it runs; it runs when it is set to RUNNING. */
  pending?: boolean;
}

/** @param train what a job does; an error that it throws fails the test */
export async function startRayServer(
  train: (job: StandInJob, number: number) => Promise<void> | void,
  { version = '2.60.0', refuse, pending = false }: RayServerOptions = {},
): Promise<RayServer> {
  const requests: string[] = [];
  const headers: RayServer['headers'] = [];
  const packages = new Map<string, Buffer>();
  let jobs: StandInJob[] = [];
  const orders = new Map<string, string>();
  const errors: unknown[] = [];

  const submit = (body: Record<string, unknown>) => {
    const id = body['submission_id'] as string;
    const runtimeEnv = body['runtime_env'] as Record<string, unknown>;
    const archive = packages.get(String(runtimeEnv['working_dir']).replace('gcs://', ''));
    if (!archive) throw new Error('the working_dir of the job was not sent');
    const [, run, command] = /^python train_on_ray\.py(?: (\S+) (\S+))?$/.exec(body['entrypoint'] as string)!;
    if (command !== undefined) {
      const job = jobs.findLast(({ settings, status }) => settings.run === run && status === 'RUNNING');
      job?.order(command);
      orders.set(id, job ? 'SUCCEEDED' : 'FAILED');
      return;
    }
    const settings = JSON.parse(Buffer.from(unzipSync(archive)['job.json']!).toString('utf8')) as JobSettings;
    const job = new StandInJob(id, settings, packages, runtimeEnv);
    if (pending) job.status = 'PENDING';
    jobs.push(job);
    void Promise.resolve(train(job, jobs.length - 1)).catch(error => {
      errors.push(error);
      job.end('FAILED', `the stand-in failed: ${(error as Error).message}`);
    });
  };

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url!;
    requests.push(`${request.method} ${path}`);
    headers.push(request.headers);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const json = (value: unknown, status = 200) =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    const text = (value: string, status: number) => void response.writeHead(status).end(value);
    if (refuse !== undefined) return text('refused', refuse);
    if (path === '/api/version') return json({ version: '4', ray_version: version, ray_commit: 'c' });
    const inPackages = /^\/api\/packages\/gcs\/([\w.]+)$/.exec(path);
    if (inPackages) {
      if (request.method === 'PUT') packages.set(inPackages[1]!, body);
      else if (!packages.has(inPackages[1]!)) return text('Package does not exist', 404);
      return text('', 200);
    }
    if (path === '/api/jobs/' && request.method === 'POST') {
      const submission = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
      submit(submission);
      return json({ submission_id: submission['submission_id'], job_id: submission['submission_id'] });
    }
    const [, id, action] = /^\/api\/jobs\/([\w-]+)(?:\/(\w+))?$/.exec(path) ?? [];
    if (id !== undefined && orders.has(id)) return json({ status: orders.get(id), message: null });
    const job = jobs.find(each => each.id === id);
    if (!job) return text(`Job ${id} does not exist`, 404);
    if (action === 'stop') {
      job.end('STOPPED', 'Job was intentionally stopped.');
      return json({ stopped: true });
    }
    return json({ status: job.status, message: job.message });
  };

  const sockets = new WebSocketServer({ noServer: true });
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    requests.push(`WS ${request.url}`);
    headers.push(request.headers);
    const job = jobs.find(({ id }) => request.url === `/api/jobs/${id}/logs/tail`);
    if (!job || refuse !== undefined) return socket.destroy();
    sockets.handleUpgrade(request, socket, head, client => {
      if (job.log !== '') client.send(job.log);
      if (!['PENDING', 'RUNNING'].includes(job.status)) return client.close();
      job.sockets.add(client);
      client.on('close', () => job.sockets.delete(client));
      return undefined;
    });
    return undefined;
  };

  const make = () => {
    const server = createServer((request, response) => {
      answer(request, response).catch(error => {
        errors.push(error);
        response.writeHead(500).end(String(error));
      });
    });
    server.on('upgrade', upgrade);
    return server;
  };
  let server = make();
  const listen = (port: number) => new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve));
  const stop = () =>
    new Promise<void>(resolve => {
      for (const client of sockets.clients) client.terminate();
      server.close(() => resolve());
      server.closeAllConnections();
    });
  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    headers,
    packages,
    get jobs() {
      return jobs;
    },
    forget: () => {
      for (const job of jobs) job.end('FAILED');
      jobs = [];
    },
    setReachable: async reachable => {
      if (!reachable) return stop();
      server = make();
      await listen(port);
    },
    close: async () => {
      await stop();
      if (errors.length > 0) throw errors[0];
    },
  };
}

function hash(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
