// The host's end of the dataset worker: starts the process when a dataset is opened, ends it some time after the last
// one is closed, and starts another after a crash. Used by documentDatasets.ts and previewEditor.ts. Imports no vscode,
// so that unit tests can run it.
import { fork, type ChildProcess } from 'node:child_process';
import type {
  DatasetSummary,
  FromWorker,
  ReadingSettings,
  RequestName,
  SourceDescription,
  WorkerRequests,
} from './worker/workerMessages.js';

/** An unused worker is ended after this long. */
const IDLE_MS = 20_000;
/** Longer than any row takes (core/text/boundedTokenizer.ts): a worker that is silent for so long never answers. */
const SILENT_MS = 60_000;

export class WorkerStoppedError extends Error {
  override readonly name = 'WorkerStoppedError';
}

interface Pending {
  resolve(result: never): void;
  reject(error: Error): void;
}

export class DatasetWorkerClient {
  private worker: ChildProcess | null = null;
  private readonly pending = new Map<number, Pending>();
  private readonly listeners = new Map<number, (summary: DatasetSummary) => void>();
  private lastId = 0;
  private idle: NodeJS.Timeout | undefined;
  private watch: NodeJS.Timeout | undefined;

  /**
   * @param script path of the bundled worker
   * @param onFault the worker has ended, or was ended since it didn't answer; the next request starts another one
   */
  constructor(
    private readonly script: string,
    private readonly onFault: (error: Error) => void,
    private readonly silentMs = SILENT_MS,
  ) {}

  open(
    source: SourceDescription,
    settings: ReadingSettings,
    onSummary: (summary: DatasetSummary) => void,
  ): OpenDataset {
    clearTimeout(this.idle);
    const dataset = ++this.lastId;
    this.listeners.set(dataset, onSummary);
    this.request('open', { dataset, source, settings }).catch(this.onFault);
    return new OpenDataset(this, dataset);
  }

  /** @throws WorkerStoppedError if the worker ends before it answers */
  request<N extends RequestName>(name: N, params: WorkerRequests[N]['params']): Promise<WorkerRequests[N]['result']> {
    return this.ask((this.worker ??= this.start()), name, params);
  }

  private ask<N extends RequestName>(
    worker: ChildProcess,
    name: N,
    params: WorkerRequests[N]['params'],
  ): Promise<WorkerRequests[N]['result']> {
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject });
      worker.send({ id, name, params });
    });
  }

  async release(dataset: number): Promise<void> {
    if (!this.listeners.delete(dataset) || !this.worker) return;
    await this.request('close', { dataset }).catch(() => {});
    clearTimeout(this.idle);
    if (this.listeners.size === 0) this.idle = setTimeout(() => this.dispose(), IDLE_MS).unref();
  }

  dispose(): void {
    clearTimeout(this.idle);
    clearTimeout(this.watch);
    this.worker?.kill();
    this.worker = null;
    this.rejectAll();
  }

  private start(): ChildProcess {
    // Structured clones as between threads; without the host's flags and standard output.
    const worker = fork(this.script, [], {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    worker.unref();
    worker.channel?.unref();
    worker.on('message', message => this.receive(message as FromWorker));
    const end = (error: Error) => {
      if (this.worker !== worker) return;
      this.worker = null;
      this.rejectAll();
      this.onFault(error);
    };
    worker.on('error', end);
    worker.on('exit', (code, signal) => end(new WorkerStoppedError(`the dataset worker ended (${signal ?? code})`)));
    this.watchOver(worker, end);
    return worker;
  }

  /** Asks a question that is answered at once, again and again, and ends a worker that doesn't answer. */
  private watchOver(worker: ChildProcess, end: (error: Error) => void): void {
    clearTimeout(this.watch);
    if (this.worker !== null && this.worker !== worker) return;
    const giveUp = () => {
      worker.kill('SIGKILL');
      const seconds = Math.round(this.silentMs / 1000);
      end(new WorkerStoppedError(`the dataset worker did not answer for ${seconds} s and was ended`));
    };
    this.watch = setTimeout(giveUp, this.silentMs).unref();
    this.ask(worker, 'ping', {}).then(
      () => {
        clearTimeout(this.watch);
        this.watch = setTimeout(() => this.watchOver(worker, end), this.silentMs / 10).unref();
      },
      () => clearTimeout(this.watch),
    );
  }

  private receive(message: FromWorker): void {
    if (message.type === 'summary') return this.listeners.get(message.dataset)?.(message.summary);
    const pending = this.pending.get(message.id);
    this.pending.delete(message.id);
    if (message.type === 'answer') pending?.resolve(message.result as never);
    else pending?.reject(new Error(message.message));
  }

  private rejectAll(): void {
    for (const { reject } of this.pending.values()) reject(new WorkerStoppedError('the dataset worker has ended'));
    this.pending.clear();
  }
}

/** Parameters of a request, without the dataset's number. */
type Rest<N extends RequestName> = Omit<WorkerRequests[N]['params'], 'dataset'>;

/** A dataset that the worker holds until this is disposed. */
export class OpenDataset {
  constructor(
    private readonly client: DatasetWorkerClient,
    private readonly dataset: number,
  ) {}

  ask<N extends RequestName>(name: N, rest: Rest<N>): Promise<WorkerRequests[N]['result']> {
    return this.client.request(name, { dataset: this.dataset, ...rest } as WorkerRequests[N]['params']);
  }

  dispose(): void {
    void this.client.release(this.dataset);
  }
}
