// One fine-tune from run file to adapter: opens model and rows, attaches the method, trains, writes the result and the run
// folder. Called by the `train` command; draws nothing.
import { join } from 'node:path';
import type { EngineCommand } from '../../protocol/engineCommand.js';
import type { EngineEvent } from '../../protocol/engineEvent.js';
import { openBackend } from '../backend/openBackend.js';
import { availableMemoryBytes, peakRssBytes } from '../machine/processMemory.js';
import { createRng } from '../data/rng.js';
import { estimateRun } from '../estimate/estimateRun.js';
import { checkMemory } from '../estimate/memoryCheck.js';
import { virtualTokensOf } from '../estimate/stepTrace.js';
import { writeFileAtomically } from '../files/atomicFile.js';
import { Decoder } from '../generation/generate.js';
import { writeModelFolder } from '../models/writeModelFolder.js';
import { Adapter } from '../peft/adapter.js';
import { checkAdapterTensors, openAdapter, planOfSaved, saveAdapter } from '../peft/adapterFiles.js';
import type { BatchShape } from '../training/stepPlan.js';
import { DivergedError, Trainer, type TrainerOutcome } from '../training/trainer.js';
import { engineVersion } from './engineVersion.js';
import { countGraphs, rowShapes } from './graphCount.js';
import {
  layoutsOf,
  loadOnto,
  openModelFiles,
  promptIds,
  startOnDisk,
  stopTokenIds,
  type OpenedModel,
} from './openModel.js';
import { readRunFile } from './readRunFile.js';
import type { Reporter } from './reporter.js';
import { absolutePaths, baseModelName, modelReference, resumedRun } from './resolvedRun.js';
import { checkInitFrom, checkPrompts, compiles, fittingLength } from './runChecks.js';
import { EventWriter } from '../runFolder/eventLog.js';
import { RunFolder } from '../runFolder/runFolder.js';
import { abandonment, claimRun, commandReader } from './runProcess.js';
import { loadRows, longestSequence } from './runRows.js';
import { sequenceRoom } from './sequenceRoom.js';
import { tensorBoardWriter } from './tensorBoard.js';
import { usableWeights } from './weightSettings.js';

export interface TrainRunOptions {
  runFile: string;
  out: string;
  resume: boolean;
  /** Starts it even where the estimate says that it won't fit into memory. */
  force: boolean;
  reporter: Reporter;
  onEvent(event: EngineEvent): void;
  /** Aborted: save and end after the current step. */
  signal: AbortSignal;
}

export interface TrainRunResult {
  outcome: TrainerOutcome;
  /** Folder of the adapter, or of the model. */
  result: string;
}

/**
 * @throws InputError on anything wrong with the input, before training starts
 * @throws DivergedError where the loss became NaN; the last checkpoint is kept
 */
export async function trainRun(options: TrainRunOptions): Promise<TrainRunResult> {
  const { reporter, out, resume } = options;
  const run = resume ? resumedRun(options.runFile, out) : readRunFile(options.runFile);
  const { config } = run;
  if (!resume) RunFolder.checkFree(out, options.runFile);
  const onDisk = await openModelFiles(modelReference(run), run.resolvePath('.'), reporter);
  const saved = run.initFrom === null ? null : openAdapter(run.resolvePath(run.initFrom), onDisk.architecture);
  if (saved) checkInitFrom(saved, run, onDisk);
  const method = run.method;
  const methodConfig = saved?.config ?? run.methodConfig;
  if (saved) checkAdapterTensors(saved, planOfSaved(saved, onDisk.architecture, 'training'));
  else method.plan(methodConfig, onDisk.architecture, 'training');

  // Warnings before the run folder exists are written down once it does.
  const early: { code: string; message: string }[] = [];
  let warn = (code: string, message: string): void => void early.push({ code, message });
  const reporting: Reporter = { ...reporter, warn: (code, message) => warn(code, message) };

  const room = sequenceRoom(onDisk.architecture, { method, config: methodConfig });
  const maxLength = fittingLength(run, room, reporting);
  checkPrompts(run, onDisk, room);
  const rows = await loadRows(run, onDisk, maxLength, reporting, options.signal);
  const backend = await openBackend({ ...config.engine, onWarning: reporting.warn });
  const compile = compiles(config.engine.compile, backend);
  const settings = usableWeights(config.engine, { backend, method, reporter: reporting });
  const layouts = layoutsOf(onDisk, settings);
  const virtualTokens = virtualTokensOf(method, methodConfig, onDisk.architecture);
  const estimate = estimateRun({
    architecture: onDisk.architecture,
    layouts,
    method,
    methodConfig,
    captured: compile,
    batchSize: config.training.per_device_train_batch_size,
    sequenceLength: longestSequence(rows.train, config.dataset.packing, maxLength),
    maxLength,
    gradientAccumulationSteps: config.training.gradient_accumulation_steps,
    gradientCheckpointing: config.training.gradient_checkpointing,
    graphs: countGraphs(rowShapes(rows.train), config, maxLength, virtualTokens),
  });
  if (!options.force)
    checkMemory(
      estimate,
      availableMemoryBytes(),
      {
        gradientCheckpointing: config.training.gradient_checkpointing,
        reducedBase: config.engine.base_weights !== 'float32',
      },
      run.path,
    );
  const opened = loadOnto(backend, onDisk, reporting, settings);
  const { model, architecture, tokenizer } = opened;
  const rng = createRng(config.training.seed);
  const adapter = Adapter.attach(method, methodConfig, model, {
    purpose: 'training',
    rng: rng.fork('adapter'),
    tokenize: text => tokenizer.encode(text),
    values: spec => (saved ? saved.tensors.get(spec.key)!.readFloat32() : startOnDisk(onDisk, layouts, spec)),
  });
  saved?.close();
  const shape: BatchShape = {
    batchSize: config.training.per_device_train_batch_size,
    maxLength,
    packing: config.dataset.packing,
    virtualTokens: adapter.forwardOptions.hooks.virtualTokens?.count ?? 0,
    firstVirtualId: architecture.vocabSize,
  };
  adapter.takeOver();

  const folder = resume ? RunFolder.open(out) : RunFolder.create(out, options.runFile);
  const release = claimRun(folder);
  const board =
    backend.name === 'tensorflow'
      ? tensorBoardWriter(folder.tensorBoard, reason => warn('tensorboard_failed', `no TensorBoard files: ${reason}`))
      : null;
  const events = new EventWriter(folder.eventsFile, event => {
    board?.write(event);
    options.onEvent(event);
  });
  writeJson(folder.runFile, absolutePaths(run));
  const decoder = new Decoder({
    model,
    adapter,
    compile,
    onWarning: config.engine.compile === true ? undefined : (code, message) => warn(code, message),
  });
  const read = commandReader(folder.commandsFile);
  const isAbandoned = abandonment(folder.attendedFile);
  const commands = (): EngineCommand[] => {
    if (!isAbandoned()) return read();
    warn('window_closed', 'stopped, since the window that was to keep this run going has been closed');
    return [{ type: 'stop' }];
  };
  const trainer = new Trainer({
    model,
    adapter,
    config,
    rows,
    shape,
    folder,
    rng,
    emit: events.write,
    answer: prompt => answer(opened, decoder, prompt, config.samples.max_new_tokens),
    compile,
    commands,
    signal: options.signal,
  });
  warn = (code, message) => events.write({ type: 'warned', code, message });
  try {
    const resumedFrom = resume ? trainer.resume() : 0;
    events.write({
      type: 'started',
      name: config.name,
      engine: {
        version: engineVersion,
        backend: backend.name,
        library: backend.libraryVersion,
        device: backend.device,
        threads: backend.threads,
      },
      model: config.model,
      peft_type: method.peftType,
      trainable_parameters: adapter.numParameters,
      total_parameters: estimate.totalParameters,
      train_rows: rows.train.indices.length,
      validation_rows: rows.validation?.indices.length ?? 0,
      dataset_hash: rows.train.dataset.stats.contentHash,
      total_steps: trainer.plan.totalSteps,
      resumed_from_step: resumedFrom,
      memory_estimate: estimate.memory,
    });
    for (const { code, message } of early) warn(code, message);

    const outcome = await trainer.run();
    const name = folder.resultName(method.storage);
    const result = join(folder.path, name);
    if (method.storage === 'model') writeModelFolder(result, model, onDisk.files, adapter.forwardOptions.replaced);
    else saveAdapter(result, adapter, architecture, baseModelName(onDisk));
    const { state, reason } = outcome;
    events.write({
      type: 'completed',
      reason,
      step: state.step,
      train_seconds: state.train_seconds,
      best_step: state.best_step,
      best_loss: state.best_loss,
      adapter: name,
      peak_rss_bytes: peakRssBytes(),
    });
    return { outcome, result };
  } catch (error) {
    const last = folder.checkpointSteps().at(-1);
    try {
      events.write({
        type: 'failed',
        step: error instanceof DivergedError ? error.step : (last ?? 0),
        message: (error as Error).message,
        last_checkpoint: last === undefined ? null : `checkpoints/step-${last}`,
      });
    } catch {
      // A full disk has no room for this either; why the run failed is told by the error itself.
    }
    throw error;
  } finally {
    release();
    board?.close();
    events.close();
    trainer.dispose();
    decoder.dispose();
    adapter.dispose();
    model.dispose();
    onDisk.files.close();
    rows.train.dataset.close();
    if (rows.validation && rows.validation.dataset !== rows.train.dataset) rows.validation.dataset.close();
  }
}

/** The model's greedy answer as it stands. */
async function answer(opened: OpenedModel, decoder: Decoder, prompt: string, maxNewTokens: number): Promise<string> {
  const ids = await decoder.generate(promptIds(opened.tokenizer, prompt), {
    maxNewTokens,
    stopTokenIds: stopTokenIds(opened),
    temperature: 0,
    topP: 1,
    rng: createRng(0),
  });
  return opened.tokenizer.decode(ids, { skipSpecialTokens: true }).trim();
}

function writeJson(path: string, value: unknown): void {
  const text = Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
  writeFileAtomically(path, append => append(text));
}
