// The training loop: steps, evaluations, samples, checkpoints, early stopping, a stop on non-finite values. It reports
// what happens as events and knows no terminal, no signals and no run file; run/executeRun.ts sets it up.
import { join } from 'node:path';
import { setImmediate, setTimeout } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs-core';
import { CodedError } from '../../core/codedError.js';
import { hasImproved, isBetter } from '../../core/runs/bestMetric.js';
import { howLossRose, LAST_STEPS, whatHelps } from './lossRose.js';
import type { ControlCommand } from '../../protocol/controlCommand.js';
import { RUN_FOLDER_VERSION, type EngineEventBody, type MetricInfo } from '../../protocol/engineEvent.js';
import type { RunConfig } from '../../protocol/runConfig.js';
import { rssBytes } from '../machine/processMemory.js';
import { gpuBytes } from '../webgpu/tfjsWebgpu.js';
import type { Batch } from '../data/batch.js';
import { batchesOf, makeBatch, planEpoch, type MicroBatchPlan } from '../data/batches.js';
import type { Rng } from '../data/rng.js';
import type { CausalLm } from '../models/causalLm.js';
import type { Adapter } from '../peft/adapter.js';
import type { RunFolder } from '../runFolder/runFolder.js';
import { StepLossWriter } from '../runFolder/stepLosses.js';
import { UntraceableError } from '../capture/opTable.js';
import { frozenLayers } from '../models/frozenLayers.js';
import { AdamW } from './adamW.js';
import { CapturedStep } from './capturedStep.js';
import { inspectCheckpoint, restoreCheckpoint, saveCheckpoint, type TrainerState } from './checkpoint.js';
import { evaluate, type Evaluation } from './evaluate.js';
import { FORGETTING_LIMIT, type Forgetting, type ForgettingMeter } from './forgetting.js';
import { FrozenStates } from './frozenStates.js';
import { HiddenStateStore } from './hiddenStateStore.js';
import { learningRateAt } from './schedules.js';
import { lastGoodCheckpoint, type ResumePoint } from './resumePoint.js';
import type { RunShape } from './runShape.js';
import type { Training } from './stepMath.js';
import { planSteps, type RowSet, type StepPlan } from './stepPlan.js';
import { meanLosses } from './tokenLosses.js';
import { frozenOutput, scoreBatch, trainingStep, type StepResult, type StepSettings } from './trainingStep.js';

export interface TrainerOptions {
  model: CausalLm;
  adapter: Adapter;
  config: RunConfig;
  rows: { train: RowSet; validation: RowSet | null };
  shape: RunShape;
  folder: RunFolder;
  rng: Rng;
  /** What checkpoints keep of the run in addition to its state. */
  recorded?: Pick<TrainerState, 'run' | 'inputs'>;
  emit(event: EngineEventBody): void;
  /** Answers a prompt with the current weights. */
  answer(prompt: string): Promise<string>;
  /** The evaluation before the first step, if another run may have made it. */
  known?: { read(): Evaluation | null; keep(evaluation: Evaluation): void } | null;
  /** Measures at each evaluation what the base has forgotten. */
  forgetting?: ForgettingMeter | null;
  /** Metrics of answers to validation rows with the current weights, by name. */
  answerMetrics?: (() => Promise<Record<string, number>>) | null;
  /** By which evaluations are compared: the loss, or one of the metrics. */
  bestMetric: MetricInfo;
  /** Whether to capture the step as a graph. */
  compile: boolean;
  /** Commands since the last call. */
  commands(): ControlCommand[];
  /** When aborted, the run saves and ends after the current step. */
  signal: AbortSignal;
}

export interface TrainerOutcome {
  reason: 'finished' | 'early_stopping' | 'time_limit' | 'stopped';
  state: TrainerState;
}

/** Interval at which a paused run checks for commands. */
const PAUSE_POLL_MS = 200;

/** What a non-finite loss means before the first update. */
const UNTRAINED_FAULT =
  'nothing was trained yet, so the weights of the base model, or of the adapter that the run starts from, are damaged';

/** A non-finite loss, gradient or weight. */
export class DivergedError extends CodedError {
  override readonly name = 'DivergedError';

  constructor(
    readonly step: number,
    readonly lastCheckpoint: string | null,
    message: string,
    hint?: string,
  ) {
    super('diverged', message, { hint });
  }
}

export class Trainer {
  readonly plan: StepPlan;
  private readonly training: Training;
  private readonly optimizer: AdamW;
  private state: TrainerState;
  private sampledStep: number | null = null;
  /** The last evaluation of this process. */
  private evaluated: { loss: number; metric: number } | null = null;
  private warnedOfForgetting = false;
  /** Of the last LAST_STEPS. */
  private stepLosses: number[] = [];
  private captured: CapturedStep | null = null;
  private frozenStates: FrozenStates | null = null;
  private readonly stepLossWriter: StepLossWriter;

  constructor(private readonly options: TrainerOptions) {
    const { config, rows, shape, adapter } = options;
    const { training } = config;
    this.training = { objective: shape.objective, model: options.model, adapter };
    this.plan = planSteps(rows.train, shape, training);
    this.optimizer = new AdamW(adapter.variables, {
      beta1: training.adam_beta1,
      beta2: training.adam_beta2,
      epsilon: training.adam_epsilon,
      weightDecay: training.weight_decay,
    });
    if (options.compile)
      this.captured = new CapturedStep(this.training, this.optimizer, {
        batchSize: shape.batchSize,
        maxLength: shape.maxLength,
      });
    this.stepLossWriter = new StepLossWriter(options.folder.stepLossesFile);
    this.state = {
      version: RUN_FOLDER_VERSION,
      step: 0,
      num_tokens: 0,
      best_step: null,
      best_loss: null,
      best_metric: null,
      initial_loss: null,
      initial_metric: null,
      evaluated: null,
      evaluations_without_improvement: 0,
      train_seconds: 0,
      dataset_hash: rows.train.dataset.stats.contentHash,
      ...this.recorded,
    };
  }

  private get recorded(): Pick<TrainerState, 'run' | 'inputs'> {
    return this.options.recorded ?? { run: null, inputs: null };
  }

  /** Restores a checkpoint of the run folder; the run is repeated from there. */
  resume({ step, state }: ResumePoint): void {
    const { folder, adapter } = this.options;
    restoreCheckpoint(folder.checkpoint(step), adapter.variables, this.optimizer);
    folder.discardAfter(step);
    const { dataset_hash: rows } = this.state;
    this.state = { ...state, version: RUN_FOLDER_VERSION, dataset_hash: rows, ...this.recorded };
  }

  /** @throws DivergedError if the loss, a gradient or a weight becomes non-finite */
  async run(): Promise<TrainerOutcome> {
    const { config, signal } = this.options;
    const { training } = config;
    this.frozenStates = this.openFrozenStates();
    if (this.state.step === 0) {
      await this.sample();
      if (this.options.rows.validation) await this.evaluate();
    }
    let reason: TrainerOutcome['reason'] = 'finished';
    while (this.state.step < this.plan.totalSteps) {
      if (signal.aborted || (await this.obey()) === 'stop') {
        reason = 'stopped';
        break;
      }
      if (this.timeShare() >= 1) {
        reason = 'time_limit';
        break;
      }
      await this.step();
      const { step } = this.state;
      // The last step of a plan is known beforehand, that of a time limit isn't.
      const isOver = this.timeShare() >= 1;
      const due = (every: number | null) => isOver || (every === null ? this.plan.endsEpoch(step) : step % every === 0);
      let best = false;
      if (this.options.rows.validation && due(training.eval_steps)) {
        best = await this.evaluate();
        if (config.samples.steps === null) await this.sample();
      }
      if (config.samples.steps !== null && step % config.samples.steps === 0) await this.sample();
      if (best || due(training.save_steps)) await this.save();
      const patience = training.early_stopping_patience;
      if (patience !== null && this.state.evaluations_without_improvement >= patience) {
        reason = 'early_stopping';
        break;
      }
      await setImmediate();
    }
    if (this.state.step > 0 && this.options.folder.checkpointSteps().at(-1) !== this.state.step) await this.save();
    const kept = reason === 'stopped' ? this.state.step : this.restoreBest();
    // The last samples must come from the weights that are kept.
    if (this.sampledStep !== kept) await this.sample(kept);
    if (reason !== 'stopped') this.warnIfWorse(kept);
    return { reason, state: this.state };
  }

  dispose(): void {
    this.frozenStates?.close();
    this.captured?.dispose();
    this.stepLossWriter.close();
    this.optimizer.dispose();
  }

  /** If the lowest layers are frozen and there are several epochs, the output of those layers is kept. */
  private openFrozenStates(): FrozenStates | null {
    const { model, adapter, rows, shape, rng, folder, emit } = this.options;
    const { architecture } = model;
    const layers = frozenLayers(architecture, adapter.forwardOptions);
    if (layers === null || layers === 0 || !this.plan.repeatsRows) return null;
    const width = architecture.hiddenSize;
    const { dataset, indices } = rows.train;
    const file = join(folder.path, 'frozen-states.bin');
    const store = HiddenStateStore.open({ rows: indices, lengthOf: row => dataset.lengthOf(row), width, file });
    if (!store) return null;
    emit({ type: 'frozen_layers_kept', layers, bytes: store.bytes, on_disk: store.onDisk });
    const groups = planEpoch({ ...rows.train, ...shape, shuffle: false, rng: rng.fork('frozen states') });
    const compute = (batch: Batch) => {
      const eagerly = () => frozenOutput(model, adapter.forwardOptions, batch);
      return this.capturedOr(captured => captured.frozenOutput(batch), eagerly);
    };
    return new FrozenStates({ rows: rows.train, shape, width, store, groups, compute });
  }

  /** The batch of a plan, with kept states if there are any. */
  private async batchOf(plan: MicroBatchPlan): Promise<Batch> {
    const { rows, shape, emit } = this.options;
    const batch = makeBatch(plan, rows.train.dataset, shape);
    if (!this.frozenStates) return batch;
    try {
      return await this.frozenStates.addTo(batch, plan);
    } catch (error) {
      if (!isDiskError(error)) throw error;
      const reason = (error as Error).message;
      emit({
        type: 'warned',
        code: 'frozen_layers_not_kept',
        message: `can't keep the output of frozen layers (${reason}); it is computed in each step instead, which is slower`,
      });
      this.frozenStates.close();
      this.frozenStates = null;
      return batch;
    }
  }

  /** One update, captured if possible. */
  private async update(batches: readonly Batch[], settings: StepSettings): Promise<StepResult> {
    const eagerly = () => trainingStep(this.training, this.optimizer, batches, settings);
    return this.capturedOr(captured => captured.step(batches, settings), eagerly);
  }

  private async score(batch: Batch): Promise<unknown> {
    const eagerly = () => scoreBatch(this.training, this.training.adapter.forwardOptions, batch);
    return this.capturedOr(captured => captured.score(batch), eagerly);
  }

  /** Runs the captured step; if an op can't be captured, warns once and runs eagerly from then on. */
  private async capturedOr<T>(run: (captured: CapturedStep) => Promise<T>, eagerly: () => Promise<T>): Promise<T> {
    if (!this.captured) return eagerly();
    try {
      const { graphs } = this.captured.report;
      const result = await run(this.captured);
      const report = this.captured.report;
      if (report.graphs > graphs)
        this.options.emit({
          type: 'compiled',
          graphs: report.graphs,
          nodes: report.nodes,
          compile_ms: report.compileMs,
        });
      return result;
    } catch (error) {
      if (!(error instanceof UntraceableError) || this.options.config.engine.compile === true) throw error;
      this.options.emit({
        type: 'warned',
        code: 'not_captured',
        message: `${error.message}; training runs eagerly instead, which is slower and takes more memory`,
      });
      this.captured.dispose();
      this.captured = null;
      return eagerly();
    }
  }

  /** Carries out the user's commands; doesn't return while paused. */
  private async obey(): Promise<'continue' | 'stop'> {
    const { commands, emit, signal, folder } = this.options;
    const { step } = this.state;
    folder.checkPresent();
    let paused = false;
    do {
      for (const { type } of commands()) {
        if (type === 'stop') return 'stop';
        if (type === 'save') await this.save();
        const pausing: boolean = type === 'save' ? paused : type === 'pause';
        if (pausing !== paused) emit({ type: pausing ? 'paused' : 'resumed', step });
        paused = pausing;
      }
      if (signal.aborted) return 'stop';
      if (paused) await setTimeout(PAUSE_POLL_MS);
    } while (paused);
    return 'continue';
  }

  private async step(): Promise<void> {
    const { config, rng, emit } = this.options;
    const { training } = config;
    const began = performance.now();
    const index = this.state.step;
    const learningRate = learningRateAt(this.scheduledStep(index), training, this.plan.totalSteps);
    const batches: Batch[] = [];
    const plans = this.plan.microBatches(index);
    for (const plan of plans) batches.push(await this.batchOf(plan));
    const { loss, gradNorm, tokenLosses } = await this.update(batches, {
      learningRate,
      maxGradNorm: training.max_grad_norm,
      gradientCheckpointing: training.gradient_checkpointing,
      rng: rng.fork(`dropout ${index}`),
    });
    const step = index + 1;
    if (!Number.isFinite(loss) || !Number.isFinite(gradNorm))
      throw this.diverged(step, `the ${Number.isFinite(loss) ? 'gradient' : 'loss'} of step ${step} is non-finite`);
    if (tokenLosses.every(losses => losses !== null))
      this.stepLossWriter.write(
        step,
        plans.flatMap((plan, i) => meanLosses(plan, batches[i]!, tokenLosses[i]!)),
      );
    const stepMs = performance.now() - began;
    const tokens = batches.reduce((sum, batch) => sum + batch.numTokens, 0);
    this.stepLosses = [...this.stepLosses, loss].slice(-LAST_STEPS);
    this.state = {
      ...this.state,
      step,
      evaluated: null,
      initial_loss: this.state.initial_loss ?? (step === 1 ? loss : null),
      num_tokens: this.state.num_tokens + tokens,
      train_seconds: this.state.train_seconds + stepMs / 1000,
    };
    if (step % training.logging_steps === 0 || step === this.plan.totalSteps)
      emit({
        type: 'step',
        step,
        epoch: this.plan.epochsAfter(step),
        loss,
        grad_norm: gradNorm,
        learning_rate: learningRate,
        num_tokens: this.state.num_tokens,
        tokens_per_second: (tokens / stepMs) * 1000,
        step_ms: stepMs,
        rss_bytes: rssBytes(),
        gpu_bytes: gpuBytes(),
      });
  }

  /** The share of max_minutes that has passed; 0 without a limit. */
  private timeShare(): number {
    const { max_minutes: minutes } = this.options.config.training;
    return minutes === null ? 0 : this.state.train_seconds / (60 * minutes);
  }

  /** The step of the schedule for update `index`: with a time limit, that of the share of the time, if it is further on. */
  private scheduledStep(index: number): number {
    return Math.max(index, Math.min(this.plan.totalSteps - 1, Math.floor(this.timeShare() * this.plan.totalSteps)));
  }

  private diverged(step: number, what: string): DivergedError {
    const { folder } = this.options;
    const last = lastGoodCheckpoint(folder);
    return new DivergedError(
      step,
      last === null ? null : `checkpoints/step-${last}`,
      `${what}; ${this.state.step === 0 ? UNTRAINED_FAULT : whatHelps(this.options.config.training.learning_rate)}`,
      last === null ? undefined : `The last good checkpoint is ${folder.checkpoint(last)}.`,
    );
  }

  /** @param kept the step whose weights are the result */
  private warnIfWorse(kept: number): void {
    const { state, evaluated, stepLosses, options } = this;
    const { bestMetric, rows, config } = options;
    const message = howLossRose({
      state,
      kept,
      evaluated,
      stepLosses,
      bestMetric,
      validated: rows.validation !== null,
      learningRate: config.training.learning_rate,
    });
    if (message !== null) options.emit({ type: 'warned', code: 'loss_rose', message });
  }

  /** Evaluates and returns whether the result is the best so far. The untrained model (step 0) never is. */
  private async evaluate(): Promise<boolean> {
    const { config, bestMetric, answerMetrics, emit } = this.options;
    const { training } = config;
    const began = performance.now();
    const { step, best_metric: bestSoFar } = this.state;
    const known = step === 0 ? this.options.known : null;
    const earlier = known?.read() ?? null;
    const result = earlier ?? (await this.evaluateRows());
    if (!Number.isFinite(result.loss))
      throw this.diverged(step, `the validation loss after step ${step} is non-finite`);
    if (!earlier) known?.keep(result);
    const metrics = { ...result.metrics, ...(await this.measureForgetting()), ...(await answerMetrics?.()) };
    const value = { loss: result.loss, ...metrics }[bestMetric.name]!;
    if (!Number.isFinite(value)) throw this.diverged(step, `${bestMetric.name} after step ${step} is non-finite`);
    this.evaluated = { loss: result.loss, metric: value };
    this.state = { ...this.state, evaluated: this.evaluated };
    if (step === 0) this.state = { ...this.state, initial_loss: result.loss, initial_metric: value };
    const best = step > 0 && isBetter(bestMetric, value, bestSoFar);
    if (best) this.state = { ...this.state, best_step: step, best_loss: result.loss, best_metric: value };
    if (step > 0) {
      const counts = hasImproved(bestMetric, value, bestSoFar, training.early_stopping_threshold);
      this.state.evaluations_without_improvement = counts ? 0 : this.state.evaluations_without_improvement + 1;
    }
    emit({
      type: 'evaluated',
      step,
      loss: result.loss,
      metrics,
      num_label_tokens: result.numLabelTokens,
      best,
      eval_ms: performance.now() - began,
      ...(earlier && { cached: true }),
    });
    return best;
  }

  /** Warns once if the model has moved too far from its base and predicts general text worse; not of an untrained one, whose prompt may be random. */
  private async measureForgetting(): Promise<Forgetting | null> {
    const { forgetting: meter, adapter, emit } = this.options;
    const { step } = this.state;
    if (!meter) return null;
    const measured = await meter.measure(adapter.forwardOptions);
    const { kl_from_base: divergence, general_loss: loss } = measured;
    if (!Number.isFinite(divergence) || !Number.isFinite(loss))
      throw this.diverged(step, `the loss on general text after step ${step} is non-finite`);
    if (step > 0 && divergence > FORGETTING_LIMIT && loss > meter.baseLoss && !this.warnedOfForgetting) {
      this.warnedOfForgetting = true;
      emit({
        type: 'warned',
        code: 'forgetting',
        message:
          `the model moves away from its base: after step ${step}, KL divergence on general text is ${divergence.toFixed(2)} per token ` +
          `(above ${FORGETTING_LIMIT}), and the loss there is ${loss.toFixed(3)} (base: ${meter.baseLoss.toFixed(3)}); ` +
          'a lower learning_rate, fewer epochs, a smaller adapter or general rows among the training rows usually help',
      });
    }
    return measured;
  }

  private evaluateRows(): Promise<Evaluation> {
    const { config, rows, shape, rng } = this.options;
    const { training } = config;
    const { dataset, indices } = rows.validation!;
    const batchSize = training.per_device_eval_batch_size ?? training.per_device_train_batch_size;
    const plans = planEpoch({ dataset, indices, ...shape, batchSize, shuffle: false, rng: rng.fork('evaluation') });
    return evaluate(shape.objective, batch => this.score(batch), batchesOf(plans, dataset, shape));
  }

  /** Answers the prompts with the current weights, those of `step`. */
  private async sample(step = this.state.step): Promise<void> {
    const { config, emit, answer } = this.options;
    for (const prompt of config.samples.prompts) emit({ type: 'sample', step, prompt, text: await answer(prompt) });
    this.sampledStep = step;
  }

  private async save(): Promise<void> {
    const { folder, adapter, config, emit } = this.options;
    const { step, best_step: bestStep } = this.state;
    if (!(await allFinite(adapter.variables.values())))
      throw this.diverged(step, `weights are non-finite after step ${step}`);
    folder.checkPresent();
    await saveCheckpoint(folder.checkpoint(step), adapter.variables, this.optimizer, this.state);
    folder.prune(config.training.save_total_limit, bestStep);
    emit({ type: 'checkpoint_saved', step, path: `checkpoints/step-${step}`, best: step === bestStep });
  }

  /** Restores the best weights if load_best_model_at_end is set. Returns the step whose weights are loaded. */
  private restoreBest(): number {
    const { folder, adapter, config, emit } = this.options;
    const { best_step: bestStep, step } = this.state;
    if (!config.training.load_best_model_at_end || bestStep === null || bestStep === step) return step;
    const best = inspectCheckpoint(folder.checkpoint(bestStep));
    const kept = 'state' in best ? bestStep : this.nextBest();
    if ('damage' in best)
      emit({
        type: 'warned',
        code: 'checkpoint_damaged',
        message: `checkpoints/step-${bestStep}, the best one, is damaged (${best.damage}); the result is that of step ${kept}`,
      });
    if (kept !== step) restoreCheckpoint(folder.checkpoint(kept), adapter.variables, null);
    return kept;
  }

  /** The step of the best weights there are without the best checkpoint: those of another one, or the current ones. */
  private nextBest(): number {
    const { folder, bestMetric } = this.options;
    const { step } = this.state;
    let best = { step, evaluated: this.state.evaluated };
    for (const saved of folder.checkpointFolders().filter(other => other !== step)) {
      const found = inspectCheckpoint(folder.checkpoint(saved));
      const evaluated = 'state' in found ? found.state.evaluated : null;
      if (evaluated && isBetter(bestMetric, evaluated.metric, best.evaluated?.metric ?? null))
        best = { step: saved, evaluated };
    }
    const { loss, metric } = best.evaluated ?? { loss: null, metric: null };
    this.state = { ...this.state, best_step: best.step, best_loss: loss, best_metric: metric };
    return best.step;
  }
}

/** Whether a file operation failed. */
function isDiskError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

/** Multiplied by 0, a finite value gives 0 and any other NaN. */
async function allFinite(variables: Iterable<tf.Variable>): Promise<boolean> {
  const sum = tf.tidy(() => tf.addN([...variables].map(variable => tf.sum(tf.mul(variable, 0)))));
  const [value] = await sum.data();
  sum.dispose();
  return value === 0;
}
