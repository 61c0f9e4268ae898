// A run on a Ray cluster, from run file to adapter: sends it as a job, follows the job's log, and writes the same run folder as a run on
// this machine. The job doesn't need this process: if it ends, `--resume` goes on following.
import { createHash, randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join, isAbsolute } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { CancelledError, CodedError } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import { bytes as bytesText } from '../../core/units.js';
import type { ControlCommand } from '../../protocol/controlCommand.js';
import type { EngineConfig } from '../../protocol/engineConfig.js';
import type { EngineError } from '../../protocol/engineError.js';
import {
  RUN_FOLDER_VERSION,
  type EngineEvent,
  type EngineEventBody,
  type MemoryParts,
} from '../../protocol/engineEvent.js';
import { append } from '../../system/regularFile.js';
import { isFolder } from '../../system/fileStat.js';
import { openBackend } from '../backend/openBackend.js';
import { writeQuarantine } from '../data/quarantine.js';
import { createRng } from '../data/rng.js';
import { estimateRun } from '../estimate/estimateRun.js';
import { packageFile } from '../files/packageFile.js';
import { writeJson } from '../files/jsonFile.js';
import { openSafetensors } from '../files/safetensors.js';
import { modelOnFiles } from '../models/loadModel.js';
import { Adapter } from '../peft/adapter.js';
import { engineVersion } from '../run/engineVersion.js';
import { commandsOf, saveResult, type RunResult } from '../run/executeRun.js';
import { failedEvent } from '../run/failedEvent.js';
import { layoutsOf, startOnDisk } from '../run/openModel.js';
import { OwnedResources } from '../run/ownedResources.js';
import { openRun, type OpenedRun, type PlannedRun, type RunRequest } from '../run/prepareRun.js';
import { absolutePaths } from '../run/resolvedRun.js';
import { longestSequence } from '../run/rowShapes.js';
import { claimRun } from '../run/runProcess.js';
import { claimExisting } from '../run/trainRun.js';
import { tensorBoardWriter } from '../run/tensorBoard.js';
import { EventWriter, readableEvents } from '../runFolder/eventLog.js';
import { RunFolder } from '../runFolder/runFolder.js';
import { inspectCheckpoint, TRAINABLE, type TrainerState } from '../training/checkpoint.js';
import { howLossRose, LAST_STEPS, whatHelps } from '../training/lossRose.js';
import { planSteps, type StepPlan } from '../training/stepPlan.js';
import { DivergedError, type TrainerOutcome } from '../training/trainer.js';
import { ArrivingCheckpoints } from './arrivingCheckpoints.js';
import { ClusterClient, type JobStatus } from './clusterClient.js';
import { packageName, packageUri, partContents, partPackage, zip } from './jobFiles.js';
import { followJob, JobLostError } from './jobLog.js';
import type { JobMessage, JobMessageOf, JobState } from './jobMessages.js';
import { checkRun, hubModel, planJob, type JobPlan } from './jobPlan.js';
import { readJobRecord, writeJobRecord, type JobRecord } from './jobRecord.js';

/** Tried with Ray 2.60 on PyTorch 2.15; a cluster for GPUs comes with a PyTorch of its own. */
const RUNTIME_ENV = { pip: ['torch>=2.4', 'transformers==5.24.0', 'peft==0.21.2', 'safetensors>=0.6'] };

const PROGRAM = 'train_on_ray.py';
const POLL_MS = 500;
const ORDER_TIMEOUT_MS = 120_000;
/** A log that is read again comes within this time. */
const SETTLED_MS = 3_000;

export interface ClusterRunRequest extends RunRequest {
  onEvent(event: EngineEvent): void;
  /** Whether these things may be sent there; asked once for each address. */
  confirm(address: string, sent: readonly string[]): Promise<boolean>;
}

/** @throws InputError for anything wrong with the input; CodedError for what goes wrong on the cluster */
export async function trainOnRay(request: ClusterRunRequest): Promise<RunResult> {
  const claimed = claimExisting(request);
  const owned = new OwnedResources();
  try {
    const opened = await openRun(request, owned);
    const { planned } = opened;
    const plan = planSteps(planned.rows.train, planned.shape, planned.run.config.training);
    checkRun(planned, plan);
    return await new ClusterRun(request, opened, plan, owned).run(claimed !== null);
  } finally {
    owned.dispose();
    claimed?.();
  }
}

class ClusterRun {
  private readonly client: ClusterClient;
  private readonly engine: EngineConfig & { address: string };
  private folder!: RunFolder;
  private events!: EventWriter;
  private record!: JobRecord;
  private arriving!: ArrivingCheckpoints;
  private readonly recorded: Record<string, unknown>;
  /** Number of the last message of the job that is an event of the folder already. */
  private written = -1;
  /** The last step in the folder, of a job that is followed again. */
  private lastStep: number | null = null;
  /** Of the last steps. */
  private stepLosses: number[] = [];
  private evaluated: { loss: number; metric: number } | null = null;
  private sentBytes = 0;
  private peakBytes = 0;
  private hello: JobMessageOf<'hello'> | null = null;
  /** Whether a `started` event says that the job is followed again. */
  private isFollowed = false;
  private program: { sha256: string; content: Uint8Array } | null = null;
  private job: JobPlan | null = null;

  constructor(
    private readonly request: ClusterRunRequest,
    private readonly opened: OpenedRun,
    private readonly plan: StepPlan,
    private readonly owned: OwnedResources,
  ) {
    const { engine } = opened.planned.run.config;
    this.engine = { ...engine, address: engine.address! };
    this.client = new ClusterClient(this.engine.address);
    this.recorded = absolutePaths(opened.planned.run);
  }

  async run(claimed: boolean): Promise<RunResult> {
    const { out, resume, runFile, signal, onEvent } = this.request;
    const { planned } = this.opened;
    await this.client.checkVersion();
    const earlier = resume ? await this.earlierJob(RunFolder.reopen(out)) : null;
    if (earlier === null) await this.askFirst();
    this.folder = resume ? RunFolder.reopen(out) : RunFolder.create(out, runFile);
    const { folder } = this;
    if (!claimed) {
      this.owned.own(claimRun(folder), release => release());
      RunFolder.checkFree(out, runFile);
    }
    let board: ReturnType<typeof tensorBoardWriter> | null = null;
    this.events = new EventWriter(folder.eventsFile, event => {
      board?.write(event);
      onEvent(event);
    });
    this.owned.own(this.events, events => events.close());
    writeJson(folder.runFile, this.recorded);
    if (planned.exclude) writeQuarantine(folder.excludedFile, planned.exclude.rows);
    board = tensorBoardWriter(folder.tensorBoard, reason =>
      this.warn('tensorboard_failed', `no TensorBoard files: ${reason}`),
    );
    const { temporary } = this;
    rmSync(temporary, { recursive: true, force: true });
    this.owned.own(temporary, path => rmSync(path, { recursive: true, force: true }));
    this.arriving = this.owned.own(
      new ArrivingCheckpoints(join(temporary, 'arriving'), () => this.sharedFolder(this.record.run)),
      arriving => arriving.close(),
    );
    try {
      if (earlier) this.record = earlier;
      else await this.submit();
      return await this.follow(signal);
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  /** The job that trains the run already; null if a new one has to. */
  private async earlierJob(folder: RunFolder): Promise<JobRecord | null> {
    const record = readJobRecord(folder);
    if (record === null || record.ended) return null;
    if (record.address !== this.engine.address)
      throw new InputError(`a job on ${record.address} trains this run`, {
        file: folder.path,
        hint: `Follow it without --on, and stop it there first: tunewright train RUN.json --out ${folder.path} --resume`,
      });
    if ((await this.client.status(record.submission_id)) === null) return null;
    const said = readableEvents(folder.eventsFile).filter(({ seq }) => seq >= record.first_seq);
    this.written = Math.max(-1, ...said.flatMap(({ job_message: n }) => n ?? []));
    this.lastStep = said.findLast(event => event.type === 'step')?.step ?? null;
    return record;
  }

  private async askFirst(): Promise<void> {
    const { planned } = this.opened;
    const { files } = planned.onDisk;
    const isSent = hubModel(planned) === null;
    const sent = [
      `${planned.rows.train.indices.length} training rows${planned.rows.validation ? `, ${planned.rows.validation.indices.length} validation rows` : ''}, as token ids`,
      ...(isSent ? [`the base model ${files.reference}, if the cluster doesn’t have it`] : []),
      ...(planned.run.config.samples.prompts.length > 0 ? ['the prompts of samples'] : []),
      'settings of the run, initial values or checkpoint of its adapter',
    ];
    if (!(await this.request.confirm(this.engine.address, sent))) throw new CancelledError('Nothing was sent.');
  }

  /** Where the cluster keeps checkpoints, if this machine has the folder too. */
  private sharedFolder(run: string): string | null {
    const { storage_path: path } = this.engine;
    return path !== null && isAbsolute(path) && isFolder(path) ? join(path, run) : null;
  }

  private plannedJob(): Promise<JobPlan> {
    const { planned, resumePoint } = this.opened;
    const resume = resumePoint && { point: resumePoint, checkpoint: this.folder.checkpoint(resumePoint.step) };
    const folder = join(this.temporary, 'job');
    return planJob(folder, planned, this.plan, resume, this.request.reporter, this.owned);
  }

  private get temporary(): string {
    return join(this.folder.path, 'ray.tmp');
  }

  private async submit(): Promise<void> {
    const { folder, engine } = this;
    const { planned } = this.opened;
    this.job = await this.plannedJob();
    for (const difference of this.job.differences) this.warn('differs_on_cluster', `${difference}.`);
    if (planned.general !== null) this.warn('forgetting_not_measured', 'forgetting isn’t measured on a cluster.');
    const run = readJobRecord(folder)?.run ?? `run-${randomUUID()}`;
    const token = this.markSharedFolder(run);
    const job = { version: 1, run, ...this.job.settings, storage_token: token };
    this.program = programPackage({ 'job.json': Buffer.from(JSON.stringify(job)) });
    const workingDir = await this.sentProgram();
    this.record = {
      address: engine.address,
      run,
      submission_id: `tunewright-${randomUUID()}`,
      first_seq: (readableEvents(folder.eventsFile).at(-1)?.seq ?? -1) + 1,
      ended: false,
      bytes_sent: this.sentBytes,
      bytes_fetched: 0,
    };
    // Before the job is there: it must not be lost.
    writeJobRecord(folder, this.record);
    await this.client.submit({
      submission_id: this.record.submission_id,
      entrypoint: `python ${PROGRAM}`,
      runtime_env: { ...(engine.runtime_env ?? RUNTIME_ENV), working_dir: workingDir },
      metadata: { tunewright: planned.run.config.name },
    });
  }

  /** Leaves a file in the folder by which the job learns that this machine reads what it writes there. */
  private markSharedFolder(run: string): string | null {
    const shared = this.sharedFolder(run);
    if (shared === null) return null;
    const token = `reader-${randomUUID()}`;
    try {
      writeJson(join(shared, token), {});
      this.owned.own(join(shared, token), path => rmSync(path, { force: true }));
      return token;
    } catch {
      // It can't be written here: what the job writes comes over its log.
      return null;
    }
  }

  /** The program's package, which is small: the cluster keeps it for some minutes after a question. */
  private async put(name: string, content: Uint8Array): Promise<void> {
    if (await this.client.hasPackage(name)) return;
    await this.client.putPackage(name, content);
    this.sentBytes += content.length;
  }

  private async follow(signal: AbortSignal): Promise<RunResult> {
    const following = new AbortController();
    const stopOrders = this.passOrders(signal, following);
    try {
      const { last, status } = await followJob(this.client, this.record.submission_id, {
        onMessage: (message, latest) => this.take(message, latest),
        onLine: line => this.logLine(line),
        onConnection: (reached, error) =>
          this.warn(
            reached ? 'cluster_reached' : 'cluster_unreachable',
            reached
              ? 'the cluster is reached again'
              : `${error!.message}; the run goes on there, and is followed again once it is reached`,
          ),
        signal: following.signal,
      });
      if (last === null) throw this.jobError(status!);
      return await this.end(last);
    } catch (error) {
      if (error instanceof JobLostError) this.close();
      throw following.signal.aborted && following.signal.reason instanceof Error ? following.signal.reason : error;
    } finally {
      stopOrders();
    }
  }

  private async take(message: JobMessage, latest: () => number): Promise<void> {
    if (message.type === 'piece') return this.arriving.take(message);
    if (message.type === 'hello') this.hello = message;
    if (message.type === 'wants') return this.upload(message, latest);
    // A job that is followed again says all from its beginning.
    this.note(message);
    if (message.n <= this.written) return this.takeAgain(message);
    switch (message.type) {
      case 'workers':
        return this.start(message);
      case 'step': {
        const { n, ...event } = message;
        return this.emit({ ...event, epoch: this.plan.epochsAfter(event.step), rss_bytes: rssOf(message) }, n);
      }
      case 'sample': {
        const { n, ids, ...event } = message;
        const text = this.opened.planned.onDisk.tokenizer.decode(ids, { skipSpecialTokens: true });
        return this.emit({ ...event, text: text.trim() }, n);
      }
      case 'queued':
      case 'evaluated':
      case 'paused':
      case 'resumed': {
        const { n, ...event } = message;
        return this.emit(event, n);
      }
      case 'checkpoint':
        return this.saveCheckpoint(message);
    }
  }

  /** Sends the parts of files that the cluster doesn't have, and says so. */
  private async upload({ n, parts }: JobMessageOf<'wants'>, latest: () => number): Promise<void> {
    if (this.job === null) {
      // Of a job that is followed again: the process that it was said to may have sent them.
      await setTimeout(SETTLED_MS);
      if (latest() > n) return;
      this.job = await this.plannedJob();
    }
    const { paths, files } = this.job;
    const { reporter } = this.request;
    const wanted = new Set(parts);
    const sizes = new Map(Object.values(files).flatMap(file => file.parts.map(part => [part.sha256, part.bytes])));
    const total = parts.reduce((sum, part) => sum + (sizes.get(part) ?? 0), 0);
    let done = 0;
    for (const { sha256, content } of partContents(paths, files, wanted)) {
      // It was stopped, or failed, meanwhile.
      if (latest() > n) return;
      reporter.progress('upload', done, total, bytesText(total));
      const archive = partPackage(sha256, content);
      // Without asking first: a question would make the cluster forget it after ten minutes.
      await this.client.putPackage(packageName(sha256), archive);
      this.sentBytes += archive.length;
      done += content.length;
      wanted.delete(sha256);
    }
    if (wanted.size > 0)
      throw new CodedError('server_failed', 'the job wants files that this run doesn’t have any more', {
        hint: 'Stop the job on the cluster, and start the run again.',
      });
    reporter.progress('upload', total, total, bytesText(total));
    if (!(await this.order('sent')) && latest() === n)
      throw new CodedError('server_failed', 'the cluster didn’t take the order that the files are there', {
        hint: 'Resume the run with --resume.',
      });
  }

  /** What the end of the run is told by. */
  private note(message: JobMessage): void {
    if (message.type === 'step') {
      this.peakBytes = Math.max(this.peakBytes, rssOf(message));
      this.stepLosses = [...this.stepLosses, message.loss].slice(-LAST_STEPS);
    }
    if (message.type === 'evaluated') {
      const metric = { loss: message.loss, ...message.metrics }[this.opened.planned.metrics.best.name];
      this.evaluated = metric === undefined ? null : { loss: message.loss, metric };
    }
  }

  private takeAgain(message: JobMessage): void {
    if (message.type === 'workers') this.startAgain(message);
    if (message.type === 'checkpoint') this.arriving.forget(message.state.step);
  }

  /** For those who read the folder: the run goes on where it is. */
  private startAgain(message: JobMessageOf<'workers'>): void {
    if (this.isFollowed) return;
    this.isFollowed = true;
    this.start({ ...message, step: this.lastStep ?? message.step, restarts: 0 }, { isNew: false });
  }

  private start(message: JobMessageOf<'workers'>, { isNew } = { isNew: true }): void {
    const { planned } = this.opened;
    const { config } = planned.run;
    const { n: number, step, trainable_parameters, total_parameters, torch, ...workers } = message;
    const n = isNew ? number : undefined;
    const again = workers.restarts > 0;
    if (again)
      this.warn('worker_lost', `a worker was lost; the workers were started again and go on from step ${step}`);
    if (isNew) this.folder.discardAfter(step);
    const devices = [...new Set(workers.workers.map(({ device }) => device))].join(', ');
    this.emit(
      {
        type: 'started',
        version: RUN_FOLDER_VERSION,
        objective: planned.shape.objective.name,
        metrics: [...planned.metrics.infos].filter(({ name }) => ['perplexity', 'token_accuracy'].includes(name)),
        metric_for_best_model: planned.metrics.best.name,
        name: config.name,
        engine: {
          version: engineVersion,
          backend: 'ray',
          library: `${this.hello?.ray ?? '?'} with PyTorch ${torch}`,
          device: workers.workers.length === 1 ? devices : `${workers.workers.length} × ${devices}`,
          threads: workers.workers[0]?.threads ?? 1,
        },
        model: config.model,
        peft_type: planned.attached.method.peftType,
        trainable_parameters,
        total_parameters,
        train_rows: planned.rows.train.indices.length,
        validation_rows: planned.rows.validation?.indices.length ?? 0,
        dataset_hash: planned.rows.train.dataset.stats.contentHash,
        total_steps: this.plan.totalSteps,
        resumed_from_step: step,
        memory_estimate: workerMemory(planned),
      },
      n,
    );
    if (!again) for (const { code, message: text } of this.opened.warnings.splice(0)) this.warn(code, text);
    this.emit(workers, n);
  }

  private async saveCheckpoint(message: JobMessageOf<'checkpoint'>): Promise<void> {
    const { folder } = this;
    const { step, best_step: best } = message.state;
    folder.checkPresent();
    await this.arriving.finish(folder.checkpoint(step), message, this.stateOf(message.state));
    folder.prune(this.opened.planned.run.config.training.save_total_limit, best);
    this.emit({ type: 'checkpoint_saved', step, path: `checkpoints/step-${step}`, best: step === best }, message.n);
  }

  private stateOf(state: JobState): TrainerState {
    return {
      version: RUN_FOLDER_VERSION,
      ...state,
      dataset_hash: this.opened.planned.rows.train.dataset.stats.contentHash,
      run: this.recorded,
      inputs: this.opened.inputs,
    };
  }

  /** Commands of the run folder, and a stop of this process, as orders to the job. @returns ends it */
  private passOrders(signal: AbortSignal, following: AbortController): () => void {
    const commands = commandsOf(this.folder, this.warn);
    const waiting: ControlCommand['type'][] = [];
    let ended = false;
    let stopping = false;
    const watch = async () => {
      while (!ended) {
        await setTimeout(POLL_MS);
        if (ended) return;
        // The job goes on: `--resume` follows it where the folder is then.
        this.folder.checkPresent();
        waiting.push(...commands().map(({ type }) => type));
        if (signal.aborted && !stopping) waiting.push('stop');
        stopping ||= waiting.includes('stop');
        while (waiting.length > 0) {
          const sent = await whileUnreachable(() =>
            waiting[0] === 'stop' ? this.stop(following) : this.order(waiting[0]!),
          );
          // Tried again at the next turn.
          if (!sent) break;
          waiting.shift();
        }
      }
    };
    watch().catch(error => {
      following.abort(error);
    });
    return () => (ended = true);
  }

  /** Saves and ends; a job that hasn't begun is cancelled. */
  private async stop(following: AbortController): Promise<void> {
    const job = this.record.submission_id;
    const status = await this.client.status(job);
    if (status?.status === 'RUNNING' && (await this.order('stop'))) return;
    await this.client.stop(job);
    this.close();
    following.abort(new CancelledError('The job was cancelled before it trained.'));
  }

  /** Sends an order by a small job beside the one that trains. @returns whether it got there */
  private async order(command: string): Promise<boolean> {
    const job = `tunewright-order-${randomUUID()}`;
    const workingDir = await this.sentProgram();
    await this.client.submit({
      submission_id: job,
      entrypoint: `python ${PROGRAM} ${this.record.run} ${command}`,
      runtime_env: { working_dir: workingDir },
    });
    const began = performance.now();
    let status: JobStatus | null = { status: 'PENDING', message: null };
    while (performance.now() - began < ORDER_TIMEOUT_MS) {
      await whileUnreachable(async () => (status = await this.client.status(job)));
      if (status === null || ['STOPPED', 'FAILED'].includes(status.status)) return false;
      if (status.status === 'SUCCEEDED') return true;
      await setTimeout(POLL_MS);
    }
    return false;
  }

  /** Address of the package with the program, which the cluster has; a process that goes on following makes one without a job. */
  private async sentProgram(): Promise<string> {
    this.program ??= programPackage();
    const { sha256, content } = this.program;
    await this.put(packageName(sha256), content);
    return packageUri(sha256);
  }

  private async end(last: JobMessage): Promise<RunResult> {
    this.close();
    if (last.type === 'cancelled') throw new CancelledError('The job was cancelled before it trained.');
    if (last.type === 'failed') throw this.workersError(last);
    const { reason, state } = last as JobMessageOf<'completed'>;
    if (reason === 'stopped' && state.step === 0)
      throw new CancelledError('The job was stopped before its first step.');
    const outcome: TrainerOutcome = { reason, state: this.stateOf(state) };
    const result = await this.saveResult(outcome);
    return { outcome, result };
  }

  /** All that the job said has been read. */
  private close(): void {
    this.record = {
      ...this.record,
      ended: true,
      bytes_sent: this.record.bytes_sent + this.sentBytes,
      bytes_fetched: this.record.bytes_fetched + this.arriving.bytes,
    };
    this.sentBytes = 0;
    writeJobRecord(this.folder, this.record);
  }

  /** The adapter of the best or last checkpoint, written as that of a run on this machine. */
  private async saveResult(outcome: TrainerOutcome): Promise<string> {
    const { planned } = this.opened;
    const { run, onDisk, attached, start } = planned;
    const { training, engine } = run.config;
    const { step, best_step: best } = outcome.state;
    const isBest = outcome.reason !== 'stopped' && training.load_best_model_at_end && best !== null;
    const kept = [...(isBest ? [best] : []), step].find(
      each => 'state' in inspectCheckpoint(this.folder.checkpoint(each)),
    );
    if (kept === undefined)
      throw new CodedError('server_failed', 'the run ended without a checkpoint', { hint: 'Start it again.' });
    if (isBest && kept !== best)
      this.warn(
        'checkpoint_damaged',
        `checkpoints/step-${best}, the best one, can’t be read; the result is that of step ${kept}`,
      );
    const worse =
      outcome.reason === 'stopped'
        ? null
        : howLossRose({
            state: outcome.state,
            kept,
            evaluated: this.evaluated,
            stepLosses: this.stepLosses,
            bestMetric: planned.metrics.best,
            validated: planned.rows.validation !== null,
            learningRate: training.learning_rate,
          });
    if (worse !== null) this.warn('loss_rose', worse);
    await openBackend({ ...engine, threads: null, onWarning: () => {} });
    const model = this.owned.own(modelOnFiles(onDisk.files), opened => opened.dispose());
    const layouts = layoutsOf(onDisk, { base_weights: 'float32', precision: 'float32' });
    const trained = openSafetensors(join(this.folder.checkpoint(kept), TRAINABLE));
    try {
      const adapter = Adapter.attach(attached, model, {
        purpose: 'training',
        rng: createRng(training.seed).fork('adapter'),
        tokenize: text => onDisk.tokenizer.encode(text),
        values: spec =>
          (trained.tensors.get(spec.key) ?? start?.tensors.get(spec.key))?.readFloat32() ??
          startOnDisk(onDisk, layouts, spec),
      });
      this.owned.own(adapter, opened => opened.dispose());
      return await saveResult({ model, adapter, onDisk }, this.folder, outcome, this.events, this.peak());
    } finally {
      trained.close();
    }
  }

  /** Of a worker. A job that had no step left has none of its own. */
  private peak(): number {
    if (this.peakBytes > 0) return this.peakBytes;
    return readableEvents(this.folder.eventsFile).reduce(
      (peak, event) => (event.type === 'step' ? Math.max(peak, event.rss_bytes) : peak),
      0,
    );
  }

  private workersError({ code, message, hint, step }: JobMessageOf<'failed'>): Error {
    const text = hint ?? undefined;
    const file = this.opened.planned.run.path;
    const last = this.folder.checkpointSteps().at(-1);
    const resume = last === undefined ? undefined : 'Resume the run from its last checkpoint: --resume.';
    if (code === 'diverged')
      return new DivergedError(
        step ?? 0,
        last === undefined ? null : `checkpoints/step-${last}`,
        `${message}; ${whatHelps(this.opened.planned.run.config.training.learning_rate)}`,
      );
    const keys: Readonly<Record<string, string>> = {
      model_not_found: 'model',
      packages_missing: 'engine.runtime_env',
      storage_failed: 'engine.storage_path',
    };
    if (keys[code] !== undefined) return new InputError(message, { file, key: keys[code], hint: text });
    const known: Readonly<Record<string, EngineError['code']>> = {
      out_of_memory: 'out_of_memory',
      worker_lost: 'worker_lost',
    };
    const memory =
      'More workers, a smaller per_device_train_batch_size, gradient_checkpointing, or engine.strategy "fsdp" take less memory in each worker.';
    return new CodedError(known[code] ?? 'server_failed', `on the cluster: ${message}`, {
      hint: text ?? (code === 'out_of_memory' ? memory : resume),
    });
  }

  /** Of a job that ended without a word of its own. */
  private jobError({ status, message }: JobStatus): Error {
    if (status === 'STOPPED') {
      this.close();
      return new CancelledError('The job was stopped on the cluster.');
    }
    this.close();
    const said = (message ?? '').trim();
    const isEnvironment = /runtime.?env/i.test(said);
    const excerpt = said.length > 800 ? `${said.slice(0, 300)} … ${said.slice(-500)}` : said;
    return isEnvironment
      ? new InputError(`the cluster can’t set up the job’s Python environment: ${excerpt}`, {
          file: this.opened.planned.run.path,
          key: 'engine.runtime_env',
          hint: 'If its nodes don’t reach the Python package index, install torch, transformers and peft there and set engine.runtime_env to {}.',
        })
      : new CodedError('server_failed', `the job ended with status ${status}: ${excerpt}`, {
          hint: `Its log is ${this.logFile}.`,
        });
  }

  private fail(error: unknown): void {
    try {
      this.events.write(failedEvent(this.folder, error));
    } catch {
      // The disk may be full; the error itself says why the run failed.
    }
  }

  private get logFile(): string {
    return join(this.folder.path, 'job.log');
  }

  private logLine(line: string): void {
    append(this.logFile, `${line}\n`);
  }

  private readonly warn = (code: string, message: string): void => this.emit({ type: 'warned', code, message });

  private emit(body: EngineEventBody, n?: number): void {
    this.events.write(n === undefined ? body : { ...body, job_message: n });
  }
}

/** Of the worker that has the most. */
function rssOf({ workers }: JobMessageOf<'step'>): number {
  return Math.max(...workers.map(({ rss_bytes: bytes }) => bytes));
}

/** The program, with files that belong to it. */
function programPackage(files: Record<string, Uint8Array> = {}): { sha256: string; content: Uint8Array } {
  const content = zip({ [PROGRAM]: packageFile('extension', 'python', PROGRAM), ...files });
  return { sha256: createHash('sha256').update(content).digest('hex'), content };
}

/** @returns whether it was done: not if the cluster can't be reached for now */
async function whileUnreachable(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof CodedError && error.code === 'unreachable') return false;
    throw error;
  }
}

/** An estimate for each worker, of its part of a batch. */
function workerMemory(planned: PlannedRun): MemoryParts {
  const { onDisk, attached, shape, rows, run } = planned;
  const { num_workers: workers } = run.config.engine;
  return estimateRun({
    attached,
    layouts: layoutsOf(onDisk, { base_weights: 'float32', precision: 'float32' }),
    captured: true,
    shape: { ...shape, batchSize: Math.ceil(shape.batchSize / workers) },
    sequenceLength: longestSequence(rows.train.dataset.stats, shape),
    graphs: 1,
  }).memory;
}
