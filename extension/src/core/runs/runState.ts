// The state of a run as a function of its events: a reducer (RunState, EngineEvent) -> RunState. Used by the host on events.ndjson
// and by tests on recorded streams; it reads neither files nor a clock, so that replaying a run folder gives the same state.
import type { EngineEvent, MetricInfo } from '../../protocol/engineEvent.js';
import { describeError } from '../codedError.js';
import { bytes } from '../units.js';
import { metricOfRun, stoppedEarly } from './bestMetric.js';
import { MetricColumns } from './metricColumns.js';
import { metricInfos, metricsOf } from './version0.js';

type EventOf<T extends EngineEvent['type']> = Extract<EngineEvent, { type: T }>;

/** `stopped`: ended by the user, its adapter saved. */
export type RunStatus = 'starting' | 'running' | 'paused' | 'completed' | 'stopped' | 'failed';

export const STEP_KEYS = [
  'step',
  'epoch',
  'loss',
  'grad_norm',
  'learning_rate',
  'num_tokens',
  'tokens_per_second',
  'step_ms',
  'rss_bytes',
  /** NaN: not known. */
  'gpu_bytes',
  /** 1: a graph was compiled in this step. */
  'compiled',
  /** Milliseconds since 1970. */
  'time',
] as const;
export type StepKey = (typeof STEP_KEYS)[number];

const EVALUATION_KEYS: readonly string[] = ['step', 'loss', 'best', 'time'];

export interface Sample {
  step: number;
  prompt: string;
  text: string;
}

export interface LogEntry {
  seq: number;
  time: string;
  level: 'info' | 'warning' | 'error';
  text: string;
}

export type WorkerFigures = NonNullable<EventOf<'step'>['workers']>;

export interface RunState {
  status: RunStatus;
  /** Increases whenever earlier steps are discarded (on resuming from a checkpoint): readers must start over. */
  generation: number;
  lastSeq: number;
  /** The latest `started` event; a resumed run has several. */
  started: EventOf<'started'> | null;
  /** Times of the first and of the last event, ISO 8601. */
  firstTime: string | null;
  lastTime: string | null;
  steps: MetricColumns<StepKey>;
  /** `step`, `loss`, `best`, `time`, and a column for each of `metrics`. */
  evaluations: MetricColumns<string>;
  /** Metrics of evaluation in addition to the loss. */
  metrics: readonly MetricInfo[];
  /** A graph was compiled since the last step or evaluation. */
  compiling: boolean;
  /** For each prompt the first answer and the last KEPT_SAMPLES. */
  samples: readonly Sample[];
  /** The last KEPT_CHECKPOINTS, and the best one so far. */
  checkpoints: readonly { step: number; path: string; best: boolean }[];
  /** The last KEPT_LOG entries. */
  log: readonly LogEntry[];
  /** On a cluster: what the run waits for; null once its workers have begun. */
  queued: EventOf<'queued'> | null;
  /** On a cluster: the workers of the run. */
  workers: EventOf<'workers'> | null;
  /** What each worker did in the latest step, by rank. */
  workerFigures: WorkerFigures | null;
  /** The steps after which workers were started again. */
  restarts: readonly number[];
  completed: EventOf<'completed'> | null;
  /** The export that is being written after that. */
  exporting: EventOf<'exporting'> | null;
  /** Exports that failed since. */
  failedExports: readonly EventOf<'export_failed'>[];
  failed: EventOf<'failed'> | null;
}

const KEPT_SAMPLES = 40;
const KEPT_LOG = 500;
const KEPT_CHECKPOINTS = 500;

export const initialRunState: RunState = {
  status: 'starting',
  generation: 0,
  lastSeq: -1,
  started: null,
  firstTime: null,
  lastTime: null,
  steps: MetricColumns.empty(STEP_KEYS),
  evaluations: MetricColumns.empty(EVALUATION_KEYS),
  metrics: [],
  compiling: false,
  samples: [],
  checkpoints: [],
  log: [],
  queued: null,
  workers: null,
  workerFigures: null,
  restarts: [],
  completed: null,
  exporting: null,
  failedExports: [],
  failed: null,
};

/** An event that was already applied (`seq` not above the last) changes nothing. */
export function reduceRun(state: RunState, event: EngineEvent): RunState {
  if (event.seq <= state.lastSeq) return state;
  const stamped: RunState = {
    ...state,
    lastSeq: event.seq,
    firstTime: state.firstTime ?? event.time,
    lastTime: event.time,
  };
  return apply(stamped, event);
}

function apply(state: RunState, event: EngineEvent): RunState {
  switch (event.type) {
    case 'started':
      return started(state, event);
    case 'step': {
      const { gpu_bytes = NaN, workers: workerFigures = null } = event;
      const row = { ...event, gpu_bytes, compiled: state.compiling ? 1 : 0, time: Date.parse(event.time) };
      return { ...state, status: 'running', compiling: false, workerFigures, steps: state.steps.append(row) };
    }
    case 'queued':
      return logged({ ...state, queued: event }, event, 'info', queuedText(event));
    case 'workers':
      return logged({ ...state, ...withWorkers(state, event) }, event, 'info', workersText(event));
    case 'evaluated': {
      const { step, loss, best, time } = event;
      const row = { step, loss, best: best ? 1 : 0, time: Date.parse(time), ...metricsOf(event) };
      const { evaluations } = state;
      const columns = evaluations.length > 0 ? evaluations : MetricColumns.empty(Object.keys(row));
      return { ...state, compiling: false, evaluations: columns.append(row) };
    }
    case 'sample': {
      const { step, prompt, text } = event;
      return { ...state, samples: withSample(state.samples, { step, prompt, text }) };
    }
    case 'checkpoint_saved': {
      const { step, path, best } = event;
      const others = state.checkpoints.filter(checkpoint => checkpoint.step !== step);
      const checkpoints = withoutOldest([...others, { step, path, best }]);
      return logged({ ...state, checkpoints }, event, 'info', `Saved ${path}`);
    }
    case 'warned':
      return logged(state, event, 'warning', event.message);
    case 'compiled':
      return logged(
        { ...state, compiling: true },
        event,
        'info',
        `${event.graphs === 1 ? '1 graph' : `${event.graphs} graphs`} of ${event.nodes} nodes, compiled in ${Math.round(event.compile_ms)} ms`,
      );
    case 'frozen_layers_kept': {
      const where = event.on_disk ? 'on disk' : 'in memory';
      const text = `The first ${event.layers} layers are frozen: their output is cached ${where}, ${bytes(event.bytes)}`;
      return logged(state, event, 'info', text);
    }
    case 'paused':
      return logged({ ...state, status: 'paused' }, event, 'info', `Paused after step ${event.step}`);
    case 'resumed':
      return logged({ ...state, status: 'running' }, event, 'info', `Resumed after step ${event.step}`);
    case 'completed': {
      const { reason, step } = event;
      const status = reason === 'stopped' ? 'stopped' : 'completed';
      const ending = reason === 'early_stopping' ? stoppedEarly(metricOfRun(state)) : ENDINGS[reason];
      return logged({ ...state, status, completed: event }, event, 'info', `${ending} after step ${step}`);
    }
    case 'failed':
      return logged({ ...state, status: 'failed', queued: null, failed: event }, event, 'error', describeError(event));
    case 'exporting': {
      const failedExports = state.failedExports.filter(({ target }) => target !== event.target);
      return { ...state, exporting: event, failedExports };
    }
    case 'exported':
      return logged({ ...state, exporting: null }, event, 'info', `Exported ${event.place}, ${bytes(event.bytes)}`);
    case 'export_failed': {
      const next = { ...state, exporting: null, failedExports: [...state.failedExports, event] };
      return logged(next, event, 'error', `Export (${event.target}): ${describeError(event)}`);
    }
  }
}

const ENDINGS: Record<Exclude<EventOf<'completed'>['reason'], 'early_stopping'>, string> = {
  finished: 'Finished',
  time_limit: 'Ended (the time is up)',
  stopped: 'Stopped',
};

function started(state: RunState, event: EventOf<'started'>): RunState {
  const from = event.resumed_from_step;
  const steps = upTo(state.steps, from);
  const evaluations = upTo(state.evaluations, from);
  const discarded = steps !== state.steps || evaluations !== state.evaluations;
  const next: RunState = {
    ...state,
    status: 'running',
    queued: null,
    // Those of an earlier process; the event of the new ones follows.
    workers: null,
    workerFigures: null,
    restarts: state.restarts.filter(step => step <= from),
    generation: state.generation + (discarded ? 1 : 0),
    started: event,
    metrics: metricInfos(event),
    steps,
    evaluations,
    samples: state.started ? state.samples.filter(sample => sample.step <= from) : state.samples,
    completed: null,
    exporting: null,
    failedExports: [],
    failed: null,
  };
  const { backend, library, threads } = event.engine;
  const engine = `${backend} ${library}, ${threads} threads`;
  return logged(next, event, 'info', from > 0 ? `Resumed from step ${from} (${engine})` : `Started (${engine})`);
}

/** They follow the `started` event with the step from which they go on. */
function withWorkers(
  { started: begun, restarts }: RunState,
  event: EventOf<'workers'>,
): Pick<RunState, 'queued' | 'workers' | 'restarts'> {
  const step = begun?.resumed_from_step ?? 0;
  return { queued: null, workers: event, restarts: event.restarts > 0 ? [...restarts, step] : restarts };
}

/** What a run on a cluster waits for. */
export function queuedText({
  wanted,
  available,
  total,
}: Pick<EventOf<'queued'>, 'wanted' | 'available' | 'total'>): string {
  const parts = Object.entries(wanted).map(
    ([name, amount]) => `${resource(name, amount)} (${free(name, available, total)} free)`,
  );
  const isImpossible = Object.entries(wanted).some(([name, count]) => count > (total[name] ?? 0));
  return `Queued: wants ${parts.join(', ')}${isImpossible ? '; the cluster doesn’t have that many' : ''}`;
}

export function workersText({
  workers,
  strategy,
  restarts,
}: Pick<EventOf<'workers'>, 'workers' | 'strategy' | 'restarts'>): string {
  const nodes = new Set(workers.map(({ node }) => node)).size;
  const devices = [...new Set(workers.map(({ device }) => device))].join(', ');
  const how = strategy === null ? '' : `, ${strategy.toUpperCase()}`;
  const again = restarts === 0 ? '' : `, started again (${restarts})`;
  return `${counted(workers.length, 'worker')} on ${counted(nodes, 'node')}: ${devices}${how}${again}`;
}

/** Of a resource of the cluster, of which `memory` is in bytes. */
function resource(name: string, amount: number): string {
  return name === 'memory' ? `${bytes(amount)} of memory` : `${amount} ${name}`;
}

function free(name: string, available: Record<string, number>, total: Record<string, number>): string {
  const text = name === 'memory' ? bytes : String;
  return `${text(available[name] ?? 0)} of ${text(total[name] ?? 0)}`;
}

const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

/** The rows up to `step`, which a checkpoint at that step includes. */
function upTo<Keys extends string>(columns: MetricColumns<Keys | 'step'>, step: number): MetricColumns<Keys | 'step'> {
  const steps = columns.column('step');
  let { length } = steps;
  while (length > 0 && steps[length - 1]! > step) length--;
  return columns.truncate(length);
}

function withSample(samples: readonly Sample[], sample: Sample): readonly Sample[] {
  const next = [...samples, sample];
  const same = next.filter(each => each.prompt === sample.prompt);
  if (same.length <= KEPT_SAMPLES + 1) return next;
  const dropped = same[1];
  return next.filter(each => each !== dropped);
}

function withoutOldest(checkpoints: RunState['checkpoints']): RunState['checkpoints'] {
  if (checkpoints.length <= KEPT_CHECKPOINTS) return checkpoints;
  const best = checkpoints.findLastIndex(each => each.best);
  return checkpoints.toSpliced(best === 0 ? 1 : 0, 1);
}

function logged(state: RunState, { seq, time }: EngineEvent, level: LogEntry['level'], text: string): RunState {
  return { ...state, log: [...state.log.slice(-(KEPT_LOG - 1)), { seq, time, level, text }] };
}

/** Steps done so far; 0 before the first. */
export function currentStep({ steps, started }: RunState): number {
  return steps.row(steps.length - 1)?.step ?? started?.resumed_from_step ?? 0;
}

/** Estimated time of the remaining steps at the pace of the last ones; null before the first step. */
export function secondsLeft(state: RunState): number | null {
  const { steps, started, status } = state;
  if (!started || steps.length === 0 || (status !== 'running' && status !== 'paused')) return null;
  const recent = steps.column('step_ms', Math.max(0, steps.length - 50)).toSorted();
  const left = Math.max(0, started.total_steps - currentStep(state));
  return (left * recent[recent.length >> 1]!) / 1000;
}
