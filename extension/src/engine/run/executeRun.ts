// The second half of a run: run folder, events, training, result. Works with what prepareRun.ts has opened.
import { join } from 'node:path';
import { InputError } from '../../core/inputError.js';
import type { ControlCommand } from '../../protocol/controlCommand.js';
import { RUN_FOLDER_VERSION, type EngineEvent, type EngineEventBody } from '../../protocol/engineEvent.js';
import { writeQuarantine } from '../data/quarantine.js';
import { syncFolder } from '../files/atomicFile.js';
import { copyTokenizer, writeChatTemplates } from '../files/huggingfaceFolder.js';
import { writeJson } from '../files/jsonFile.js';
import { promptTurns } from '../generation/prompt.js';
import { Session } from '../generation/session.js';
import { peakRssBytes } from '../machine/processMemory.js';
import { writeModelFolder } from '../models/writeModelFolder.js';
import { saveAdapter } from '../peft/adapterFiles.js';
import { EventWriter } from '../runFolder/eventLog.js';
import { RunFolder } from '../runFolder/runFolder.js';
import type { ResumePoint } from '../training/resumePoint.js';
import { Trainer, type TrainerOutcome } from '../training/trainer.js';
import { answeringSession, answerQuestions, meanMetrics } from './answerDataset.js';
import { baseEvaluation } from './baseEvaluation.js';
import { engineVersion } from './engineVersion.js';
import { failedEvent } from './failedEvent.js';
import { OwnedResources } from './ownedResources.js';
import type { PreparedRun, RunRequest } from './prepareRun.js';
import { silentReporter } from './reporter.js';
import { absolutePaths, baseModelName } from './resolvedRun.js';
import { abandonment, claimRun, commandReader } from './runProcess.js';
import { tensorBoardWriter } from './tensorBoard.js';

export interface RunResult {
  outcome: TrainerOutcome;
  /** Folder of the adapter, or of the model. */
  result: string;
}

type Warn = (code: string, message: string) => void;

/** Name of the adapter that is being trained, in the sessions that answer with it. */
const TRAINED = 'the trained model';

/**
 * @throws DivergedError if loss, gradients or weights become non-finite; the last checkpoint is kept
 * @throws InputError if the folder is in use, or the disk is full
 */
export async function executeRun(
  prepared: PreparedRun,
  request: Pick<RunRequest, 'out' | 'resume' | 'runFile' | 'signal' | 'cache'> & {
    /** The folder is claimed for this process already. */
    claimed: boolean;
    onEvent(event: EngineEvent): void;
  },
): Promise<RunResult> {
  const owned = new OwnedResources();
  try {
    return await execute(prepared, request, owned);
  } finally {
    owned.dispose();
  }
}

async function execute(
  prepared: PreparedRun,
  { out, resume, runFile, signal, cache, claimed, onEvent }: Parameters<typeof executeRun>[1],
  owned: OwnedResources,
): Promise<RunResult> {
  const { run, onDisk, model, adapter, rows, exclude, shape, forgetting, metrics, compile, rng } = prepared;
  const { inputs, resumePoint } = prepared;
  const { config } = run;
  const folder = resume ? RunFolder.reopen(out) : RunFolder.create(out, runFile);
  if (!claimed) {
    owned.own(claimRun(folder), release => release());
    // Another process may have trained in the new folder between its creation and the claim.
    RunFolder.checkFree(out, runFile);
  }
  const warn: Warn = (code, message) => events.write({ type: 'warned', code, message });
  let board: ReturnType<typeof tensorBoardWriter> | null = null;
  const events = new EventWriter(folder.eventsFile, event => {
    board?.write(event);
    onEvent(event);
  });
  owned.own(events, opened => opened.close());
  const recorded = absolutePaths(run);
  writeJson(folder.runFile, recorded);
  if (exclude) writeQuarantine(folder.excludedFile, exclude.rows);

  const onWarning = config.engine.compile === true ? undefined : warn;
  const session = owned.own(new Session({ onDisk, model, compile, onWarning }), opened => opened.dispose());
  session.share(TRAINED, adapter);
  const trainer = new Trainer({
    model,
    adapter,
    config,
    rows,
    shape,
    folder,
    rng,
    recorded: { run: recorded, inputs },
    emit: events.write,
    answer: async prompt => {
      const { text } = await session.generate({
        messages: promptTurns(prompt),
        adapters: [{ name: TRAINED }],
        sampling: { max_new_tokens: config.samples.max_new_tokens },
      });
      return text.trim();
    },
    known: cache === undefined ? null : await baseEvaluation(cache, prepared),
    forgetting,
    answerMetrics: answerMeter(prepared, { warn, onUncaptured: onWarning }, owned),
    bestMetric: metrics.best,
    compile,
    commands: commandsOf(folder, warn),
    signal,
  });
  owned.own(trainer, opened => opened.dispose());

  try {
    if (resumePoint) trainer.resume(resumePoint);
    events.write(startedEvent(prepared, trainer.plan.totalSteps, resumePoint?.step ?? 0));
    warnOfEvents(events, resumePoint, warn);
    for (const { code, message } of prepared.warnings) warn(code, message);
    board = tensorBoardWriter(folder.tensorBoard, reason =>
      warn('tensorboard_failed', `no TensorBoard files: ${reason}`),
    );
    const outcome = await trainer.run();
    return { outcome, result: await saveResult(prepared, folder, outcome, events) };
  } catch (thrown) {
    const error = causeOf(thrown as Error, folder);
    writeFailure(error, folder, events);
    throw error;
  }
}

/** Whatever can't be written because the run folder is gone, that is the cause. */
function causeOf(error: Error, folder: RunFolder): Error {
  if (!(error instanceof InputError)) return error;
  try {
    folder.checkPresent();
    return error;
  } catch (gone) {
    return gone as Error;
  }
}

/** Answers the questions of the run's metrics with the current weights; null if there are none. Warns once of each kind. */
function answerMeter(
  { onDisk, model, adapter, metrics: { questions, text }, compile }: PreparedRun,
  { warn, onUncaptured }: { warn: Warn; onUncaptured: Warn | undefined },
  owned: OwnedResources,
): (() => Promise<Record<string, number>>) | null {
  if (questions.length === 0) return null;
  const session = answeringSession({ onDisk, model, compile, onWarning: onUncaptured }, questions);
  owned.own(session, opened => opened.dispose());
  session.share(TRAINED, adapter);
  const warned = new Set<string>();
  const warnOnce: Warn = (code, message) => {
    if (!warned.has(code)) warn(code, message);
    warned.add(code);
  };
  const reporter = { ...silentReporter, warn: warnOnce };
  return async () => meanMetrics(await answerQuestions(session, questions, TRAINED, reporter), text);
}

/** The events of a resumed run are for people and screens only: it goes on without those that were lost. */
function warnOfEvents({ removedLines, isNew }: EventWriter, resumePoint: ResumePoint | null, warn: Warn): void {
  if (removedLines.length > 0)
    warn('events_damaged', `removed from events.ndjson what was no event: line ${removedLines.join(', ')}`);
  if (isNew && resumePoint !== null) warn('events_missing', 'events.ndjson was missing; its events are lost');
}

function startedEvent(
  { run: { config }, backend, adapter, rows, shape, metrics, estimate }: PreparedRun,
  totalSteps: number,
  resumedFrom: number,
): EngineEventBody {
  return {
    type: 'started',
    version: RUN_FOLDER_VERSION,
    objective: shape.objective.name,
    metrics: [...metrics.infos],
    metric_for_best_model: metrics.best.name,
    name: config.name,
    engine: {
      version: engineVersion,
      backend: backend.name,
      library: backend.libraryVersion,
      device: backend.device,
      threads: backend.threads,
      reason: backend.reason,
    },
    model: config.model,
    peft_type: adapter.method.peftType,
    trainable_parameters: adapter.numParameters,
    total_parameters: estimate.totalParameters,
    train_rows: rows.train.indices.length,
    validation_rows: rows.validation?.indices.length ?? 0,
    dataset_hash: rows.train.dataset.stats.contentHash,
    total_steps: totalSteps,
    resumed_from_step: resumedFrom,
    memory_estimate: estimate.memory,
  };
}

/**
 * Saves the result and writes `completed`.
 * @param trained the adapter has the values of the result
 * @returns the folder of the adapter, or of the model
 */
export async function saveResult(
  { model, adapter, onDisk }: Pick<PreparedRun, 'model' | 'adapter' | 'onDisk'>,
  folder: RunFolder,
  { state, reason }: TrainerOutcome,
  events: EventWriter,
  peakBytes = peakRssBytes(),
): Promise<string> {
  folder.checkPresent();
  const { storage } = adapter.method;
  const name = folder.resultName(storage);
  const result = join(folder.path, name);
  if (storage === 'model') await writeModelFolder(result, model, onDisk.files, adapter.merge()!);
  else {
    await saveAdapter(result, adapter, baseModelName(onDisk));
    // That of the adapter in init_from, without which this one couldn't be used.
    const { tokenizerFolder, path, ownTemplate } = onDisk.files;
    if (tokenizerFolder !== null && tokenizerFolder !== path) copyTokenizer(tokenizerFolder, result);
    // As TRL does: prompts of this adapter are written as its rows were.
    if (ownTemplate !== undefined) writeChatTemplates(result, ownTemplate);
  }
  // Files sync the folder that they are in; this is the one that the folder is in.
  syncFolder(folder.path);
  events.write({
    type: 'completed',
    reason,
    step: state.step,
    train_seconds: state.train_seconds,
    best_step: state.best_step,
    best_loss: state.best_loss,
    best_metric: state.best_metric,
    adapter: name,
    peak_rss_bytes: peakBytes,
  });
  return result;
}

function writeFailure(error: Error, folder: RunFolder, events: EventWriter): void {
  try {
    events.write(failedEvent(folder, error));
  } catch {
    // The disk may be full; the error itself says why the run failed.
  }
}

/** The commands in the run folder, or `stop` once the last window of the run has been closed. */
export function commandsOf(folder: RunFolder, warn: (code: string, message: string) => void): () => ControlCommand[] {
  const read = commandReader(folder.commandsFile);
  const isAbandoned = abandonment(folder.attendedFile);
  return () => {
    if (!isAbandoned()) return read();
    warn('window_closed', 'stopped because the last window of this run was closed');
    return [{ type: 'stop' }];
  };
}
