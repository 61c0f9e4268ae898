// Replaces VS Code on the plain page of the webview tests: acquireVsCodeApi() with the product's own sessions on runs
// fed from recorded events. Bundled for the browser by harness.ts; tests control it as `window.fake`. Without this, zod
// would try eval, which the page's policy forbids except while the debugger evaluates.
import type { KnownGpu } from '../../../../extension/src/core/gpuMemory.js';
import '../../../../webview/src/shared/zodWithoutEval.js';
import { runFailure } from '../../../../extension/src/core/runs/runFailure.js';
import { initialRunState, reduceRun, type RunState } from '../../../../extension/src/core/runs/runState.js';
import { runPhase } from '../../../../extension/src/core/runs/runStatus.js';
import type { RunFailure } from '../../../../extension/src/protocol/dashboardMessages.js';
import type { EngineLine } from '../../../../extension/src/host/webviews/engineLines.js';
import { ExportSession } from '../../../../extension/src/host/exports/exportSession.js';
import { EvaluationSession } from '../../../../extension/src/host/webviews/evaluationSession.js';
import { DashboardSession } from '../../../../extension/src/host/webviews/dashboardSession.js';
import { modelFactsOf, problemOf, savingsOf } from '../../../../extension/src/host/engineProcess/engineAnswers.js';
import { EngineInputError, type Run } from '../../../../extension/src/host/services.js';
import {
  estimateSchema,
  modelInspectionSchema,
  type EstimateAnswer,
  type SuiteResults,
} from '../../../../extension/src/protocol/answers.js';
import type { EngineError } from '../../../../extension/src/protocol/engineError.js';
import type { EngineEvent } from '../../../../extension/src/protocol/engineEvent.js';
import type { Certificate } from '../../../../extension/src/protocol/certificate.js';
import type { ExportPlans, ExportTargetFacts } from '../../../../extension/src/protocol/exportAnswers.js';
import type { ExportSnapshot } from '../../../../extension/src/protocol/exportMessages.js';
import type { EvaluationState, EvaluationTarget } from '../../../../extension/src/protocol/evaluationMessages.js';
import {
  findRaces,
  openRace,
  openRaceFile,
  openRaceRuns,
  raceChanged,
  steerRace,
  useRaceRun,
  type RaceFiles,
  type RaceSnapshot,
} from '../../../../extension/src/protocol/raceMessages.js';
import {
  dataChanged,
  describeData,
  draftChanged,
  draftShown,
  estimateDraft,
  inspectModel,
  listGpus,
  openData,
  openPanel,
  pick,
  propose,
  pullModel,
  startDraft,
  trustGranted,
  type Choices,
  type Draft,
  type TrainingData,
} from '../../../../extension/src/protocol/runPanelMessages.js';
import { FakePlayground, type PlaygroundScript } from './fakePlayground.js';
import { proposeRun } from '../../../../extension/src/core/runs/proposeRun.js';
import { WebviewChannel } from '../../../../extension/src/protocol/webviewChannel.js';

type Listener = () => unknown;
const emitter = () => {
  const listeners = new Set<Listener>();
  return {
    event: (listener: Listener) => {
      listeners.add(listener);
      return { dispose: () => listeners.delete(listener) };
    },
    fire: () => listeners.forEach(listener => listener()),
  };
};

class FakeRun {
  alive = true;
  config: object = {
    model: 'embedded:tiny',
    dataset: { train: '/data/pirate.messages.jsonl' },
    method: { peft_type: 'LORA' },
  };
  /** The end of engine.log. */
  engineLog: string[] = [];
  checkpoint: number | null = null;
  /** Whether its job on a cluster has not been followed to its end. */
  job = false;
  price: number | null = null;
  readonly sent: string[] = [];
  private readonly changed = emitter();
  private current: RunState = initialRunState;
  readonly onDidChange = this.changed.event;

  constructor(
    readonly folder: string,
    readonly name: string,
  ) {}

  get detached(): boolean {
    return this.job && !this.alive;
  }

  get startedMs(): number {
    return Date.parse(this.current.firstTime ?? '2026-01-01T00:00:00Z');
  }

  state(): RunState {
    return this.current;
  }

  glance(): RunState {
    return this.current;
  }

  resumeStep(): number | null {
    return this.alive || this.current.status === 'completed' ? null : this.checkpoint;
  }

  failure(): RunFailure | null {
    return runFailure(this.current, runPhase(this.current, this.alive, this.detached), () => this.engineLog);
  }

  take(events: readonly EngineEvent[]): void {
    for (const event of events) this.current = reduceRun(this.current, event);
    this.changed.fire();
  }

  set(alive: boolean): void {
    this.alive = alive;
    this.changed.fire();
  }

  send({ type }: { type: string }): void {
    this.sent.push(type);
  }
}

const listeners: ((message: unknown) => void)[] = [];
/** Messages that the webview sent before the test had set up its host. */
let unhandled: unknown[] = [];
let visible = true;
let kept: unknown;
Object.assign(globalThis, {
  acquireVsCodeApi: () => ({
    // Both directions copy, as in VS Code.
    postMessage: (message: unknown) => {
      const copy = structuredClone(message);
      if (listeners.length === 0) unhandled.push(copy);
      else queueMicrotask(() => listeners.forEach(listener => listener(copy)));
    },
    setState: (state: unknown) => (kept = structuredClone(state)),
    getState: () => kept,
  }),
});

const faults: string[] = [];
const port = {
  post: (message: unknown) => {
    // A hidden webview loses messages.
    if (visible) window.postMessage(message, '*');
  },
  listen: (listener: (message: unknown) => void) => {
    listeners.push(listener);
    const early = unhandled;
    unhandled = [];
    // After the host has registered its handlers.
    setTimeout(() => early.forEach(listener));
    return () => void listeners.splice(listeners.indexOf(listener), 1);
  },
};

const runs = new Map<string, FakeRun>();
const runsChanged = emitter();
const log: unknown[] = [];
/** By the name of the run. */
const certificatesOf = new Map<string, Certificate[]>();
let session: DashboardSession | null = null;
let channel: WebviewChannel | null = null;
let panelData: Record<string, TrainingData> = {};
let playground: FakePlayground | null = null;
let evaluationSession: EvaluationSession | null = null;
let exportSession: ExportSession | null = null;
let evaluation: {
  onLine(line: EngineLine): void;
  resolve(): void;
  reject(error: Error): void;
} | null = null;

/** A call of the engine that prints what `tellEvaluation` says. */
function engineCall(logged: object, onLine: (line: EngineLine) => void, cancelled: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    log.push(logged);
    cancelled.addEventListener('abort', () => reject(new Error('cancelled')));
    evaluation = { onLine, resolve, reject };
  });
}

const fake = {
  faults,
  log,
  /** Creates a run from events. */
  addRun(folder: string, name: string, events: readonly EngineEvent[]): void {
    const run = new FakeRun(folder, name);
    run.take(events);
    runs.set(folder, run);
    runsChanged.fire();
  },
  feed: (folder: string, events: readonly EngineEvent[]) => runs.get(folder)!.take(events),
  /** Creates a run with many synthetic steps, for measurements. */
  addLongRun(folder: string, numSteps: number, started: EngineEvent): void {
    const run = new FakeRun(folder, folder);
    run.take([started, ...syntheticSteps(1, numSteps)]);
    runs.set(folder, run);
    runsChanged.fire();
  },
  feedSynthetic: (folder: string, from: number, to: number) => runs.get(folder)!.take(syntheticSteps(from, to)),
  /** What the folder of an ended run has in addition to its events. */
  setFolder(
    folder: string,
    content: { log?: string[]; checkpoint?: number; config?: object; job?: boolean; price?: number },
  ): void {
    const run = runs.get(folder)!;
    run.engineLog = content.log ?? run.engineLog;
    run.checkpoint = content.checkpoint ?? run.checkpoint;
    run.config = { ...run.config, ...content.config };
    run.job = content.job ?? run.job;
    run.price = content.price ?? run.price;
    run.set(run.alive);
  },
  setAlive: (folder: string, alive: boolean) => runs.get(folder)!.set(alive),
  keptState: () => kept,
  sent: (folder: string) => runs.get(folder)!.sent,
  setVisible: (value: boolean) => (visible = value),

  /** @param suites what runs have answered to suites */
  serveDashboard(folders: string[], estimate: unknown, suites: SuiteResults = []): void {
    channel = new WebviewChannel(port, fault => faults.push(fault));
    session = new DashboardSession({
      channel,
      folders,
      runs: {
        runs: () => [...runs.values()] as unknown as Run[],
        get: folder => runs.get(folder) as unknown as Run,
        onDidChange: runsChanged.event as never,
        resume: async run => void log.push({ resumed: run.folder }),
      },
      onFoldersChanged: folders => log.push({ folders }),
      resultOf: run => (run.state().completed ?? null) && { mergeable: run.name !== 'pirate-prompt' },
      pricePerHour: run => (run as unknown as FakeRun).price,
      methodTitle: peftType => (peftType === 'LORA' ? 'LoRA' : peftType),
      certificates: run => certificatesOf.get(run.name) ?? [],
      useExport: (path, act) => log.push({ act, path }),
      suiteResults: async folders =>
        suites.filter(({ models }) => models.some(({ model }) => folders.includes(model.folder))),
      savings: async () => (estimate ? savingsOf(estimateSchema.parse(estimate)) : null),
      exportFile: async (name, content) => {
        log.push({
          exported: name,
          text: typeof content === 'string' ? content.slice(0, 400) : null,
          bytes: typeof content === 'string' ? '' : base64(content),
        });
        return `/exports/${name}`;
      },
      act: ({ folder }, action) => log.push({ action, folder }),
      rows: {
        rows: (args, onLine, cancelled) => engineCall({ rows: args.slice(1) }, onLine as never, cancelled),
        quarantine: async args => log.push({ quarantine: args.slice(1) }),
        openPlace: (file, line) => log.push({ file, line }),
        trainWithout: async ({ folder }) => void log.push({ trainWithout: folder }),
      },
    });
  },
  /** Exports of a run; shown with the next snapshot. */
  setCertificates(run: string, certificates: Certificate[]): void {
    certificatesOf.set(run, certificates);
    session?.learnExports();
  },
  /** What the command Rows by Loss does. */
  listRowsByLoss: () => session!.listBy('suspect'),
  /** An evaluation whose engine prints what `tellEvaluation` says. @param state from before a reload */
  serveEvaluation(target: EvaluationTarget, name: string, state: EvaluationState | null = null): void {
    channel = new WebviewChannel(port, fault => faults.push(fault));
    evaluationSession = new EvaluationSession({
      channel,
      shown: { target, name, state },
      evaluate: (onLine, cancelled) => engineCall({ evaluating: target.dataset }, onLine, cancelled),
      openPlace: (file, line) => log.push({ file, line }),
    });
  },
  /**
   * The Export view on what the engine can export to; the export prints what `tellEvaluation` says.
   * @param plans by target; a choice of options is answered by the plan of its target
   */
  serveExport(
    shown: Pick<ExportSnapshot, 'subject' | 'choice' | 'state'>,
    targets: ExportTargetFacts[],
    plans: ExportPlans['plans'],
  ): void {
    channel = new WebviewChannel(port, fault => faults.push(fault));
    exportSession = new ExportSession({
      channel,
      shown,
      targets: async () => targets,
      plan: async choice => {
        log.push({ planning: choice });
        return plans.filter(({ target }) => choice === null || target === choice.target);
      },
      place: async path => ({ out: path, force: false }),
      pickPlace: async path => `${path}-elsewhere`,
      run: (choice, place, onLine, cancelled) => engineCall({ exporting: choice, place }, onLine, cancelled),
      remember: choice => void log.push({ remembered: choice }),
      shell: 'posix',
      use: (act, path) => log.push({ act, path }),
      openPlace: (file, line) => log.push({ file, line }),
    });
  },
  /** Lines of the engine; `end`: it ends with them, or with an error. */
  tellEvaluation(lines: readonly EngineLine[], end: boolean | EngineError = false): void {
    for (const line of lines) evaluation!.onLine(line);
    if (end === true) evaluation!.resolve();
    else if (end !== false) evaluation!.reject(new EngineInputError(end));
  },
  /** As after a reload: a new session on the same runs. */
  endSession: () => (session ?? evaluationSession ?? exportSession)?.dispose(),

  servePanel(options: {
    schema: Record<string, unknown>;
    choices: Choices;
    draft: Draft;
    trusted: boolean;
    /** Output of `inspect` and `estimate`, by model. */
    models: Record<string, { inspection: unknown; estimate: unknown }>;
    /** Errors of the engine, by a JSON text that the draft must contain. */
    problems: Record<string, EngineError>;
    picks: Record<string, string | null>;
    /** What is known of datasets, by path. */
    data: Record<string, TrainingData>;
    /** Models that can be pulled, and then are as these. */
    hub: Record<string, string>;
    /** Races on the model and dataset of any draft that names both. */
    races?: RaceFiles[];
    gpus?: KnownGpu[];
  }): void {
    panelData = options.data;
    channel = new WebviewChannel(port, fault => faults.push(fault));
    const wrong = (draft: Draft) =>
      Object.entries(options.problems).find(([part]) => JSON.stringify(draft).includes(part))?.[1];
    const missing = (model: string) =>
      refused(
        model in options.hub
          ? { code: 'model_not_pulled', message: 'the model is not on this machine', file: model }
          : { code: 'bad_input', message: 'this folder has neither model.safetensors nor a .gguf file', file: model },
      );
    const refused = (error: EngineError) => ({ ok: false as const, problem: problemOf(error, {}, '/tmp/draft.json') });
    channel.onRequest(openPanel, () => ({
      schema: options.schema,
      trusted: options.trusted,
      choices: options.choices,
      shown: { draft: options.draft, runFile: null },
    }));
    channel.onRequest(pick, what => options.picks[what] ?? null);
    channel.onRequest(propose, ({ model, train, peft_type }) => {
      log.push({ proposed: { model, train, peft_type } });
      return proposeRun({
        model,
        parameters: null,
        dataset: train === null ? null : { train, firstRows: [{ prompt: `first of ${train}`, completion: 'x' }] },
        method: { peft_type, learningRate: 2e-4 },
      });
    });
    channel.onRequest(inspectModel, async model => {
      const known = options.models[model];
      return known ? { ok: true, value: modelFactsOf(modelInspectionSchema.parse(known.inspection)) } : missing(model);
    });
    channel.onRequest(pullModel, model => {
      log.push({ pulled: model });
      options.models[model] = options.models[options.hub[model]!]!;
      return true;
    });
    channel.onRequest(describeData, draft => {
      const { train } = draft['dataset'] as { train: string };
      log.push({ described: train });
      return panelData[train] ?? null;
    });
    channel.onNotification(openData, place => void log.push({ opened: place }));
    channel.onRequest(findRaces, () => options.races ?? []);
    channel.onRequest(listGpus, () => options.gpus ?? []);
    channel.onRequest(estimateDraft, async draft => {
      log.push({ estimated: draft });
      const error = wrong(draft);
      if (error) return refused(error);
      const model = String(draft['model']);
      return model in options.models ? { ok: true, value: estimateFor(options.models, draft) } : missing(model);
    });
    channel.onRequest(startDraft, draft => {
      log.push({ started: draft });
      const error = wrong(draft);
      return error ? refused(error) : { ok: true as const, value: '/runs/new' };
    });
    channel.onNotification(draftChanged, draft => void log.push({ draft }));
  },
  /** A race whose files say this. */
  serveRace(snapshot: RaceSnapshot): void {
    channel = new WebviewChannel(port, fault => faults.push(fault));
    channel.onRequest(openRace, () => snapshot);
    channel.onRequest(steerRace, steering => {
      log.push({ steered: steering });
      if (steering === 'stop') throw new Error('The disk is full.');
    });
    channel.onNotification(openRaceRuns, folders => void log.push({ opened: folders }));
    channel.onNotification(openRaceFile, which => void log.push({ file: which }));
    channel.onNotification(useRaceRun, draft => void log.push({ used: draft }));
  },
  showRace: (snapshot: RaceSnapshot) => channel!.notify(raceChanged, snapshot),
  kept: () => kept,
  servePlayground(script: PlaygroundScript): void {
    channel = new WebviewChannel(port, fault => faults.push(fault));
    playground = new FakePlayground(channel, script, runs, entry => log.push(entry));
  },
  /** Lets the answers of the playground's models go on, to this number of tokens. */
  answerUpTo: (tokens: number) => playground!.answerUpTo(tokens),
  endModel: () => playground!.endModel(),
  endRuns: () => playground!.endRuns(),
  answerAs: (answers: PlaygroundScript['answers']) => playground!.answerAs(answers),
  proposePrompt: (prompt: string) => playground!.propose(prompt),
  showDraft: (draft: Draft, runFile: string | null) => channel!.notify(draftShown, { draft, runFile }),
  /** The file of a dataset is changed. */
  changeData: (path: string, data: TrainingData) => {
    panelData[path] = data;
    channel!.notify(dataChanged, undefined);
  },
  grantTrust: () => channel!.notify(trustGranted, undefined),
};
export type Fake = typeof fake;

/** The recorded estimate with the draft's method as that of the run, and LoRA's parameters in proportion to the rank. */
function estimateFor(models: Record<string, { estimate: unknown }>, draft: Draft): EstimateAnswer {
  const { peft_type: peftType, r: rank = 8 } = draft['method'] as { peft_type: string; r?: number };
  const recorded = estimateSchema.parse(models[String(draft['model'])]!.estimate);
  const all = [recorded.run, ...recorded.methods];
  const run = all.find(each => each.peft_type === peftType)!;
  if (!('memory' in run)) throw new Error('this method does not fit the model');
  const added = peftType === 'LORA' ? (run.trainable_parameters * (rank - 8)) / 8 : 0;
  const counted = {
    trainable_parameters: run.trainable_parameters + added,
    total_parameters: run.total_parameters + added,
  };
  return { ...recorded, run: { ...run, ...counted }, methods: all.filter(each => each !== run) };
}

function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(''));
}

function syntheticSteps(from: number, to: number): EngineEvent[] {
  return Array.from({ length: to - from + 1 }, (_, i) => {
    const step = from + i;
    const noise = ((step * 7919) % 101) / 101 - 0.5;
    return {
      seq: step,
      time: new Date(1.8e12 + step * 250).toISOString(),
      type: 'step',
      step,
      epoch: step / 1000,
      loss: 0.8 + 2.5 * Math.exp(-step / 20_000) + 0.4 * noise + (step % 9973 === 0 ? 3 : 0),
      grad_norm: 1 + 0.5 * noise,
      learning_rate: 2e-4 * (0.5 + 0.5 * Math.cos((Math.PI * step) / 110_000)),
      num_tokens: step * 512,
      tokens_per_second: 2048 + 200 * noise,
      step_ms: 250 + 20 * noise,
      rss_bytes: 1.1e9 + 5e7 * noise,
    };
  });
}

declare global {
  interface Window {
    fake: Fake;
  }
}
window.fake = fake;
