// A Ray cluster through the REST API of its jobs, at the address of its dashboard. Tokens and headers come from the environment, as
// for Ray's own command line, and are in no message.
import { setTimeout } from 'node:timers/promises';
import * as z from 'zod';
import { CodedError } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import { LocalServer } from '../export/localServer.js';

/** The first with Ray Train's V2 as the default and this form of its failures. */
export const OLDEST_RAY = '2.51.0';

/** PENDING: not started yet, such as while its Python environment is made. */
export const JOB_STATUSES = ['PENDING', 'RUNNING', 'STOPPED', 'SUCCEEDED', 'FAILED'] as const;

const versionSchema = z.object({ ray_version: z.string() });
const submittedSchema = z.object({ submission_id: z.string() });
const jobSchema = z.object({ status: z.enum(JOB_STATUSES), message: z.string().nullable().default(null) });
export type JobStatus = z.infer<typeof jobSchema>;

export interface Submission {
  submission_id: string;
  entrypoint: string;
  runtime_env: Record<string, unknown>;
  metadata?: Record<string, string>;
}

const IDLE_MS = 60_000;
/** Time for a cluster to take a job. */
const BUSY_MS = 90_000;
/** Ray sends up to 20,000 characters at once, and a line whole. */
const MAX_LOG_CHUNK_BYTES = 1 << 24;

export class ClusterClient {
  private readonly server: LocalServer;
  private readonly headers: Readonly<Record<string, string>>;

  constructor(
    /** Of the dashboard. */
    readonly address: string,
    signal?: AbortSignal,
  ) {
    this.headers = headersOf(process.env);
    this.server = new LocalServer(address.replace(/\/+$/, ''), {
      name: 'the Ray cluster',
      hint: 'Check engine.address, and that the cluster’s dashboard runs there: curl ADDRESS/api/version.',
      otherHint: 'Name the address of the cluster’s dashboard in engine.address, such as http://head:8265.',
      headers: this.headers,
      signal,
    });
  }

  /** @throws InputError if the cluster has a Ray that is too old, CodedError if none answers */
  async checkVersion(): Promise<string> {
    const { ray_version: version } = await this.server
      .parsed(versionSchema, { method: 'GET', path: '/api/version', idleMs: IDLE_MS })
      .catch(error => {
        throw refusedLogin(error) ?? error;
      });
    if (isOlder(version, OLDEST_RAY))
      throw new InputError(`the cluster runs Ray ${version}, and ${OLDEST_RAY} is the oldest that works`, {
        key: 'engine.address',
        hint: `Update it on all nodes: pip install "ray[default,train]>=${OLDEST_RAY}".`,
      });
    return version;
  }

  /** Whether the cluster has the package; it then keeps it for some minutes. */
  async hasPackage(name: string): Promise<boolean> {
    return (await this.server.status({ method: 'GET', path: `/api/packages/gcs/${name}`, idleMs: IDLE_MS })) === 200;
  }

  async putPackage(name: string, content: Uint8Array): Promise<void> {
    await this.server.json({ method: 'PUT', path: `/api/packages/gcs/${name}`, bytes: content });
  }

  async submit(submission: Submission): Promise<void> {
    const began = performance.now();
    for (;;) {
      try {
        await this.server.parsed(submittedSchema, { path: '/api/jobs/', json: submission });
        return;
      } catch (error) {
        // A head that has just started, or a node that is busy.
        if (!isForLater(error) || performance.now() - began > BUSY_MS) throw error;
        await setTimeout(2_000);
      }
    }
  }

  /** @returns null if the cluster doesn't know the job, such as after a restart of its head */
  async status(job: string): Promise<JobStatus | null> {
    try {
      return await this.server.parsed(jobSchema, { method: 'GET', path: `/api/jobs/${job}`, idleMs: IDLE_MS });
    } catch (error) {
      if ((error as { status?: number | null }).status === 404) return null;
      throw error;
    }
  }

  /** Ends the job within seconds, whatever it does. */
  async stop(job: string): Promise<void> {
    await this.server.json({ path: `/api/jobs/${job}/stop`, idleMs: IDLE_MS });
  }

  /**
   * The log of a job from its beginning, and as it grows. Resolves when the cluster ends the connection: at the job's end, or when it
   * breaks.
   */
  async followLog(job: string, onText: (text: string) => void, signal: AbortSignal): Promise<void> {
    // Imported here: no other command needs it.
    const { WebSocket } = await import('ws');
    signal.throwIfAborted();
    const url = `${this.address.replace(/^http/, 'ws').replace(/\/+$/, '')}/api/jobs/${job}/logs/tail`;
    const socket = new WebSocket(url, {
      headers: this.headers,
      followRedirects: false,
      handshakeTimeout: IDLE_MS,
      maxPayload: MAX_LOG_CHUNK_BYTES,
      perMessageDeflate: false,
    });
    const ended = new Promise<void>((resolve, reject) => {
      let failure: unknown = null;
      socket.on('message', data => {
        try {
          // Of one chunk, whatever its form.
          onText(Buffer.from(data as Buffer).toString('utf8'));
        } catch (error) {
          failure = error;
          socket.terminate();
        }
      });
      // Followed by `close`, also when there was no connection.
      socket.on('error', () => {});
      socket.on('close', () => (failure === null ? resolve() : reject(failure as Error)));
    });
    // A connection that broke without a word would otherwise be waited for.
    let alive = true;
    socket.on('pong', () => (alive = true));
    const beat = setInterval(() => {
      if (!alive) return socket.terminate();
      alive = false;
      if (socket.readyState === WebSocket.OPEN) socket.ping();
    }, IDLE_MS);
    const close = () => socket.terminate();
    signal.addEventListener('abort', close, { once: true });
    try {
      await ended;
    } finally {
      clearInterval(beat);
      signal.removeEventListener('abort', close);
    }
  }
}

/**
 * RAY_AUTH_TOKEN and RAY_JOB_HEADERS, as Ray's own command line reads them.
 * @throws InputError if RAY_JOB_HEADERS is no JSON object of texts
 */
export function headersOf(environment: NodeJS.ProcessEnv): Record<string, string> {
  const { RAY_AUTH_TOKEN: token, RAY_JOB_HEADERS: json } = environment;
  const isHeader = (text: string) => /^[\x20-\x7e]*$/.test(text);
  if (token !== undefined && !isHeader(token))
    throw new InputError('it has a character that no header can have', { key: 'RAY_AUTH_TOKEN' });
  let headers: Record<string, string> = {};
  if (json) {
    const parsed = z
      .string()
      .transform(text => JSON.parse(text) as unknown)
      .pipe(z.record(z.string().regex(/^[\w-]+$/), z.string().refine(isHeader)));
    let read: ReturnType<typeof parsed.safeParse> | null = null;
    try {
      read = parsed.safeParse(json);
    } catch {
      // Not JSON.
    }
    if (!read?.success)
      throw new InputError('this is not a JSON object of headers', {
        key: 'RAY_JOB_HEADERS',
        hint: 'Write it as {"Name": "value"}.',
      });
    headers = read.data;
  }
  return { ...headers, ...(token ? { authorization: `Bearer ${token}` } : {}) };
}

/** What Ray answers while no node can take a job. */
function isForLater(error: unknown): boolean {
  return /no available agent|try again later/i.test((error as Error).message);
}

function refusedLogin(error: unknown): CodedError | null {
  const { status } = error as { status?: number | null };
  if (status !== 401 && status !== 403) return null;
  return new CodedError('server_failed', (error as Error).message, {
    key: 'RAY_AUTH_TOKEN',
    hint: 'The cluster wants a login: set RAY_AUTH_TOKEN, or RAY_JOB_HEADERS.',
  });
}

/** Compares by numbers; what follows them, such as rc1, doesn't count. */
export function isOlder(version: string, oldest: string): boolean {
  const [have, need] = [version, oldest].map(text => text.split('.').map(part => Number.parseInt(part, 10)));
  for (const [i, number] of need!.entries()) {
    const own = have![i];
    if (own === undefined || Number.isNaN(own) || own !== number) return !((own ?? 0) > number);
  }
  return false;
}
