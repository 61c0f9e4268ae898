// The first half of a run: everything between the run file and the first step. Finds all errors in the input, before a run folder
// exists. Frees everything it opened if it fails. The other half is executeRun.ts.
import type { EncodedExample } from '../../core/data/example.js';
import { InputError } from '../../core/inputError.js';
import type { Backend } from '../backend/backend.js';
import type { ExcludedRows } from '../data/quarantine.js';
import { createRng, type Rng } from '../data/rng.js';
import { estimateRun, type Estimate } from '../estimate/estimateRun.js';
import { checkMemory } from '../estimate/memoryCheck.js';
import { reserveMemory } from '../estimate/reservedMemory.js';
import { availableMemoryBytes } from '../machine/processMemory.js';
import type { CausalLm } from '../models/causalLm.js';
import type { ModelOnDisk } from '../models/modelOnDisk.js';
import type { EngineConfig, UsedWeights } from '../../protocol/engineConfig.js';
import { Adapter } from '../peft/adapter.js';
import type { SavedAdapter } from '../peft/adapterFiles.js';
import { usableLength, type AttachedMethod } from '../peft/attachedMethod.js';
import { unmatchedNames } from '../peft/unmatchedNames.js';
import { ForgettingMeter } from '../training/forgetting.js';
import type { TrainedInputs } from '../training/checkpoint.js';
import { findResumePoint, type ResumePoint } from '../training/resumePoint.js';
import { runShape, type RunShape } from '../training/runShape.js';
import { RunFolder } from '../runFolder/runFolder.js';
import { checkEpochs, type RowSet } from '../training/stepPlan.js';
import { attachMethod } from './attachMethod.js';
import { checkSuites } from './contamination.js';
import { checkDeviceFits } from './deviceFit.js';
import { evaluationMetrics, type EvaluationMetrics } from './evaluationMetrics.js';
import { excludedRows } from './excludedRows.js';
import { generalRows } from './generalRows.js';
import { modelForAdapter } from '../peft/adapterTokenizer.js';
import { layoutsOf, loadOnto, openModelFiles, startOnDisk } from './openModel.js';
import { OwnedResources } from './ownedResources.js';
import { readRunFile, type RunFile } from './readRunFile.js';
import { openDevice } from './openDevice.js';
import type { Reporter } from './reporter.js';
import { modelReference, resumedRun } from './resolvedRun.js';
import { checkPrompts, compiles, lengthLimit, warnOfReducedLength } from './runChecks.js';
import { countGraphs, longestSequence, rowShapes } from './rowShapes.js';
import { loadRows, withTemplateOf } from './runRows.js';
import { checkInputs, inputsOf } from './trainedInputs.js';
import { usableWeights } from './weightSettings.js';

export interface RunRequest {
  runFile: string;
  out: string;
  resume: boolean;
  /** Start even if the estimate exceeds the available memory. */
  force: boolean;
  /** Folder with tokens and the base's evaluation, made by other runs on the same rows or for them. */
  cache?: string;
  /** Instead of those of the run file: where it is trained doesn't change what is trained. */
  engine?: Partial<EngineConfig>;
  reporter: Reporter;
  /** If aborted, the run ends as soon as possible. */
  signal: AbortSignal;
}

/** A run of which nothing has been computed yet. */
export interface PlannedRun {
  run: RunFile;
  onDisk: ModelOnDisk;
  attached: AttachedMethod;
  /** The adapter of `init_from`. */
  start: SavedAdapter | null;
  rows: { train: RowSet; validation: RowSet | null };
  /** Rows that are left out, as they are now; null: none. */
  exclude: ExcludedRows | null;
  /** On which forgetting is measured; null: it isn't. */
  general: EncodedExample[] | null;
  metrics: EvaluationMetrics;
  shape: RunShape;
}

export interface PreparedRun {
  run: RunFile;
  onDisk: ModelOnDisk;
  backend: Backend;
  model: CausalLm;
  adapter: Adapter;
  rows: { train: RowSet; validation: RowSet | null };
  exclude: ExcludedRows | null;
  shape: RunShape;
  forgetting: ForgettingMeter | null;
  metrics: EvaluationMetrics;
  settings: UsedWeights;
  /** Whether steps and answers run as captured graphs. */
  compile: boolean;
  estimate: Estimate;
  rng: Rng;
  inputs: TrainedInputs;
  /** The checkpoint that it goes on from. */
  resumePoint: ResumePoint | null;
  /** Written by the run as `warned` events. */
  warnings: readonly Warning[];
  /** Frees everything that was opened. */
  dispose(): void;
}

export interface Warning {
  code: string;
  message: string;
}

/** @throws InputError for anything wrong with the input */
export async function prepareRun(request: RunRequest): Promise<PreparedRun> {
  const owned = new OwnedResources();
  try {
    return { ...(await prepare(request, owned)), dispose: () => owned.dispose() };
  } catch (error) {
    owned.dispose();
    throw error;
  }
}

/** A run that has been planned, new or to be resumed. */
export interface OpenedRun {
  planned: PlannedRun;
  inputs: TrainedInputs;
  resumePoint: ResumePoint | null;
  /** Grows while the run is prepared. */
  warnings: Warning[];
  /** Adds to `warnings`. */
  reporting: Reporter;
}

/** All that is done before a backend, or a cluster, is known. @throws InputError for anything wrong with the input */
export async function openRun(request: RunRequest, owned: OwnedResources): Promise<OpenedRun> {
  const { runFile, out, resume, reporter } = request;
  const warnings: Warning[] = [];
  const reporting: Reporter = { ...reporter, warn: (code, message) => void warnings.push({ code, message }) };
  const resumePoint = resume ? findResumePoint(RunFolder.reopen(out), reporting.warn) : null;
  const { run: read, ignored } = resume
    ? resumedRun(runFile, out, resumePoint?.state.run ?? null, reporting.warn)
    : { run: readRunFile(runFile), ignored: [] };
  if (ignored.length > 0)
    reporting.warn(
      'run_file_changed',
      `a resumed run keeps its own settings; ignored from ${runFile}: ${ignored.join(', ')}`,
    );
  const engine = { ...read.config.engine, ...request.engine };
  const run = { ...read, config: { ...read.config, engine } };
  const planned = await planRun(run, { ...request, reporter: reporting }, owned);
  const { onDisk, rows } = planned;
  const inputs = inputsOf(planned);
  if (resumePoint) {
    const { contentHash } = rows.train.dataset.stats;
    checkInputs(resumePoint.state, inputs, contentHash, { model: onDisk.files.path, warn: reporting.warn });
  } else if (resume) reporting.warn('started_anew', 'the run has no checkpoint yet, so it starts from the beginning');
  return { planned, inputs, resumePoint, warnings, reporting };
}

async function prepare(request: RunRequest, owned: OwnedResources): Promise<Omit<PreparedRun, 'dispose'>> {
  const { force } = request;
  const { planned, inputs, resumePoint, warnings, reporting } = await openRun(request, owned);
  const { run, onDisk, attached, start, rows, exclude, general, metrics, shape } = planned;
  const { config } = run;

  const backend = await openRunDevice(run, onDisk, reporting);
  const compile = compiles(run, backend);
  const { threads } = config.engine;
  const use = { backend, method: attached.method, reporter: reporting, threads };
  const settings = await usableWeights(config.engine, use);
  const layouts = layoutsOf(onDisk, settings);
  const trained = attached.plan('training');
  checkDeviceFits({ layouts, trained }, backend, run.path);
  const estimate = estimateRun({
    attached,
    layouts,
    captured: compile,
    shape,
    sequenceLength: longestSequence(rows.train.dataset.stats, shape),
    graphs: countGraphs(rowShapes(rows.train), config.training, shape),
  });
  const { earlier } = owned.own(reserveMemory(estimate.memory.total), reservation => reservation.release());
  if (!force)
    checkMemory(
      estimate,
      { free: availableMemoryBytes(), others: earlier },
      { gradientCheckpointing: shape.gradientCheckpointing, reducedBase: config.engine.base_weights !== 'float32' },
      run.path,
    );

  const { model } = loadOnto(backend, onDisk, reporting, { settings });
  owned.own(model, opened => opened.dispose());
  const rng = createRng(config.training.seed);
  const adapter = Adapter.attach(attached, model, {
    purpose: 'training',
    rng: rng.fork('adapter'),
    tokenize: text => onDisk.tokenizer.encode(text),
    values: spec => (start ? start.tensors.get(spec.key)?.readFloat32() : startOnDisk(onDisk, layouts, spec)),
  });
  owned.own(adapter, opened => opened.dispose());
  const forgetting = general && (await ForgettingMeter.open(model, general, adapter));
  if (forgetting) owned.own(forgetting, opened => opened.dispose());
  adapter.takeOver();
  const parts = { run, onDisk, backend, model, adapter, rows, exclude, shape, forgetting, metrics };
  return { ...parts, settings, compile, estimate, rng, inputs, resumePoint, warnings };
}

/** @throws InputError with the run file's path, since its key is one of that file */
async function openRunDevice({ config, path }: RunFile, { files }: ModelOnDisk, reporter: Reporter): Promise<Backend> {
  try {
    return await openDevice(files, config.engine, reporter);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const { message, ...details } = error.record();
    throw new InputError(message, { file: path, ...details });
  }
}

/**
 * What a run needs before a backend is opened: files, method and rows, all checked. A race plans all of its runs before the first.
 * @param owned frees what is opened
 * @throws InputError for anything wrong with the input
 */
export async function planRun(
  run: RunFile,
  { reporter, signal, cache }: Pick<RunRequest, 'reporter' | 'signal' | 'cache'>,
  owned: OwnedResources,
): Promise<PlannedRun> {
  const { config } = run;
  const base = await openModelFiles(modelReference(run), run.resolvePath('.'), reporter);
  owned.own(base.files, files => files.close());
  const options = { files: base.files, onWarning: reporter.warn };
  const { attached, start } = attachMethod(run, base.architecture, options);
  if (start) owned.own(start, saved => saved.close());
  else for (const { message } of unmatchedNames(attached)) reporter.warn('names_unmatched', message);
  const onDisk = withTemplateOf(run, start ? modelForAdapter(base, start, reporter.warn) : base);
  const shape = runShape(config, attached);
  const limitedBy = lengthLimit(config.dataset.max_length, shape, attached);
  warnOfReducedLength(config.dataset.max_length, shape, limitedBy, reporter);
  checkPrompts(run, onDisk.tokenizer, attached);

  const limits = { maxLength: shape.maxLength, limitedBy };
  const { architecture } = attached;
  const exclude = excludedRows(run);
  const rows = await loadRows(run, { ...onDisk, architecture }, limits, exclude, reporter, signal, cache);
  for (const dataset of new Set([rows.train.dataset, rows.validation?.dataset ?? rows.train.dataset]))
    owned.own(dataset, opened => opened.close());
  checkEpochs(rows.train.indices.length, shape, config.training, run.path);
  await checkSuites(run, rows.train);
  const general = rows.validation
    ? await forgettingRows(run, { ...onDisk, architecture }, usableLength(architecture, attached), reporter)
    : null;
  const { validation } = rows;
  const { objective } = shape;
  const evaluated = { onDisk, attached, validation, objective, forgetting: general !== null, reporter };
  const metrics = await evaluationMetrics(run, evaluated);
  return { run, onDisk, attached, start, rows, exclude, general, metrics, shape };
}

/** @returns null if forgetting isn't measured: only rows that the user named may end a run. */
async function forgettingRows(
  run: RunFile,
  { tokenizer, architecture }: Pick<ModelOnDisk, 'tokenizer' | 'architecture'>,
  length: number,
  reporter: Reporter,
): Promise<EncodedExample[] | null> {
  const { measure_forgetting: measures, general_texts: texts } = run.config.training;
  if (!measures) return null;
  try {
    return await generalRows({
      file: texts === null ? null : run.resolvePath(texts),
      tokenizer,
      embeddingRows: architecture.vocabSize,
      usableLength: length,
      reporter,
      key: 'training.general_texts',
    });
  } catch (error) {
    if (texts !== null || !(error instanceof InputError)) throw error;
    reporter.warn('forgetting_not_measured', `forgetting isn't measured on the bundled texts: ${error.message}`);
    return null;
  }
}
