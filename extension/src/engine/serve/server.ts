// The server's life: it binds an address, answers by app.ts, and ends gracefully: no new requests, a grace time for the answers
// under way. Called by `tunewright serve`.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { InputError } from '../../core/inputError.js';
import { MOST_ROWS } from '../generation/batch.js';
import { checkOrigins, isLoopback, urlHost } from './accessControl.js';
import { AdapterFolders } from './adapterFolders.js';
import { ApiError, apiError } from './apiError.js';
import { serverApp, type ServedSession } from './app.js';
import { boundConnections } from './connections.js';
import { Metrics } from './metrics.js';
import { modelNames } from './modelNames.js';
import { Slots } from './slots.js';

export interface ServerLimits {
  maxBodyBytes: number;
  /** Answers that are decoded at once. */
  maxRunning: number;
  /** Answers that may wait beside them. */
  maxWaiting: number;
  maxConnections: number;
  /** For headers and body to arrive. */
  requestMs: number;
  /** After which a client that reads nothing counts as gone. */
  stallMs: number;
  /** For answers under way, at the end. */
  graceMs: number;
}

const MAX_BODY_BYTES = 4 << 20;
const MIN_BODY_BYTES = 256 << 10;
/** Of a body; more than a token has, also where JSON escapes each character. */
const BYTES_PER_POSITION = 64;

const DEFAULT_LIMITS: Omit<ServerLimits, 'maxBodyBytes'> = {
  maxRunning: MOST_ROWS,
  maxWaiting: 64,
  maxConnections: 512,
  requestMs: 30_000,
  stallMs: 60_000,
  graceMs: 30_000,
};

export interface ServerOptions {
  host: string;
  /** 0: one that is free. */
  port: number;
  apiKey?: string | null;
  adaptersFolders?: readonly string[];
  allowOrigins?: readonly string[];
  limits?: Partial<ServerLimits>;
  /** Called with faults of the program. */
  onFault: (error: unknown) => void;
}

export interface RunningServer {
  url: string;
  models: string[];
  /** Resolves once all connections are closed. */
  end(): Promise<void>;
}

/** @throws InputError for options that don't go together, or an address that can't be used */
export async function startServer(session: ServedSession, options: ServerOptions): Promise<RunningServer> {
  const { host, port, apiKey = null, adaptersFolders = [], allowOrigins = [], onFault } = options;
  const { context_length: positions } = session.facts;
  const maxBodyBytes = Math.max(MIN_BODY_BYTES, Math.min(MAX_BODY_BYTES, positions * BYTES_PER_POSITION));
  const limits = { ...DEFAULT_LIMITS, maxBodyBytes, ...options.limits };
  checkServerOptions(options);
  const open = new Set<AbortController>();
  const rules = { host, port, apiKey, allowOrigins };
  let ending = false;
  const app = serverApp({
    ...{ session, open, rules, onFault },
    slots: new Slots(limits.maxRunning, limits.maxWaiting),
    metrics: new Metrics(),
    folders: new AdapterFolders(adaptersFolders),
    maxBodyBytes: limits.maxBodyBytes,
    stallMs: limits.stallMs,
    isEnding: () => ending,
  });
  const errorHandler = (error: unknown) => {
    // What isn't a URL never reaches the app.
    const shown =
      (error as Error).name === 'RequestError' ? new ApiError(400, 'The request is not valid HTTP.') : apiError(error);
    return Response.json(shown.body, { status: shown.status });
  };
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false, errorHandler });
  const responses = new Set<ServerResponse>();
  const server = createServer(
    {
      headersTimeout: limits.requestMs,
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: Math.min(1000, limits.requestMs),
    },
    (incoming, outgoing) => {
      responses.add(outgoing);
      outgoing.once('close', () => responses.delete(outgoing));
      void listener(incoming, outgoing);
    },
  );
  boundConnections(server, limits.maxConnections);
  await new Promise<void>((resolve, reject) => {
    server.once('error', error => reject(unusable(error, host, port)));
    server.listen(port, host, resolve);
  });
  rules.port = (server.address() as AddressInfo).port;

  return {
    url: `http://${urlHost(host)}:${rules.port}`,
    models: modelNames(session),
    end: async () => {
      ending = true;
      const closed = new Promise<void>(resolve => server.close(() => resolve()));
      const deadline = performance.now() + limits.graceMs;
      // Connections without an answer are closed; the others once theirs has been sent.
      const isOver = () => open.size === 0 && [...responses].every(({ headersSent }) => !headersSent);
      while (!isOver() && performance.now() < deadline) await new Promise(resolve => setTimeout(resolve, 20));
      for (const stop of open) stop.abort();
      while (open.size > 0) await new Promise(resolve => setTimeout(resolve, 20));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** What can be wrong with the options themselves; called before a model is loaded, too. @throws InputError */
export function checkServerOptions({
  host,
  apiKey = null,
  adaptersFolders = [],
  allowOrigins = [],
}: ServerOptions): void {
  if (host.trim() === '')
    throw new InputError('the address is empty', { key: '--host', hint: 'Leave it out for 127.0.0.1.' });
  if (!isLoopback(host) && apiKey === null)
    throw new InputError(`other machines may reach ${host}, so a key is needed`, {
      key: '--api-key-file',
      hint: 'Name a file with the key, or leave --host at 127.0.0.1.',
    });
  checkOrigins(allowOrigins);
  void new AdapterFolders(adaptersFolders);
}

function unusable(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const reasons: Record<string, string> = {
    EADDRINUSE: `port ${port} of ${host} is in use`,
    EACCES: `port ${port} may not be used`,
    EADDRNOTAVAIL: `this machine has no address ${host}`,
    ENOTFOUND: `there is no address "${host}"`,
  };
  const reason = reasons[error.code ?? ''];
  if (!reason) return error;
  const isPort = error.code === 'EADDRINUSE' || error.code === 'EACCES';
  return new InputError(reason, {
    key: isPort ? '--port' : '--host',
    hint: isPort ? 'Choose another port, or 0 for one that is free.' : 'Choose an address of this machine.',
  });
}
