// A run as a job of a Ray cluster: job.json, which extension/python/train_on_ray.py reads, and the files that belong to it. Rows, order,
// start and method come from the same functions as those of `eject`.
import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { InputError } from '../../core/inputError.js';
import { openBackend } from '../backend/openBackend.js';
import { hasPrefix, packs, pythonModel, writeData, writeStart } from '../export/pythonInputs.js';
import { ejectable } from '../export/ejectRun.js';
import { START_FILES } from '../export/pythonProgram.js';
import { writeFolderFiles } from '../files/folderFile.js';
import { promptIds } from '../generation/prompt.js';
import { endTokensOf } from '../models/endTokens.js';
import { modelOnFiles } from '../models/loadModel.js';
import { modelFolderFiles } from '../models/writeModelFolder.js';
import { trainedOf } from '../peft/method.js';
import type { OwnedResources } from '../run/ownedResources.js';
import type { PlannedRun } from '../run/prepareRun.js';
import type { Reporter } from '../run/reporter.js';
import { TRAINABLE, OPTIMIZER } from '../training/checkpoint.js';
import type { ResumePoint } from '../training/resumePoint.js';
import { warmupSteps } from '../training/schedules.js';
import type { StepPlan } from '../training/stepPlan.js';
import { namesIn } from '../../system/regularFile.js';
import { describeFiles, type JobFile } from './jobFiles.js';
import type { JobState } from './jobMessages.js';

/** Each has a line in the file of the order. */
const MAX_STEPS = 1_000_000;

export interface JobPlan {
  /** job.json, without what is known only when it is sent. */
  settings: Record<string, unknown>;
  /** Paths of its files by their names in the job. */
  paths: ReadonlyMap<string, string>;
  files: Record<string, JobFile>;
  /** What the run has and the job hasn't, a sentence each. */
  differences: readonly string[];
}

/** @throws InputError if a part of the run can't be trained on a cluster */
export function checkRun({ run, attached, metrics }: PlannedRun, plan: StepPlan): void {
  const place = (key: string) => ({ file: run.path, key });
  const { engine, training } = run.config;
  if (engine.address === null)
    throw new InputError('it is not said where the Ray cluster is', {
      ...place('engine.address'),
      hint: 'Set it to the address of the cluster’s dashboard, such as http://head:8265.',
    });
  if (!attached.method.python)
    throw new InputError(`Python’s PEFT, by which a cluster trains, has no method ${attached.method.peftType}`, {
      ...place('method.peft_type'),
      hint: `These can be trained on a cluster: ${ejectable().join(', ')}.`,
    });
  if (engine.base_weights !== 'float32' || engine.precision !== 'float32')
    throw new InputError('on a cluster, base weights and products are float32', {
      ...place(engine.base_weights !== 'float32' ? 'engine.base_weights' : 'engine.precision'),
      hint: 'Set it to "float32".',
    });
  if (training.eval_metrics.length > 0)
    throw new InputError('answers to validation rows aren’t measured on a cluster', {
      ...place('training.eval_metrics'),
      hint: 'Remove it, and measure the result: tunewright evaluate.',
    });
  if (!['loss', 'perplexity', 'token_accuracy'].includes(metrics.best.name))
    throw new InputError(`${metrics.best.name} isn’t measured on a cluster`, {
      ...place('training.metric_for_best_model'),
      hint: 'Set it to loss, perplexity or token_accuracy.',
    });
  if (plan.totalSteps > MAX_STEPS)
    throw new InputError(`the run has ${plan.totalSteps} steps, and on a cluster it can have ${MAX_STEPS}`, {
      ...place(training.max_steps > 0 ? 'training.max_steps' : 'training.num_train_epochs'),
      hint: 'Lower it.',
    });
}

/**
 * Writes the files of a job.
 * @param folder for those that are made
 * @param checkpoint folder of the checkpoint that the run goes on from
 */
export async function planJob(
  folder: string,
  planned: PlannedRun,
  plan: StepPlan,
  resume: { point: ResumePoint; checkpoint: string } | null,
  reporter: Reporter,
  owned: OwnedResources,
): Promise<JobPlan> {
  const { run, onDisk, attached, shape, rows, metrics } = planned;
  const { training, engine, samples } = run.config;
  // Start values and a base that is written as a folder are computed here.
  await openBackend({ ...engine, threads: null, onWarning: () => {} });
  const paths = new Map<string, string>();
  const data = join(folder, 'data');
  writeData(data, planned, plan);
  for (const name of namesIn(data)) paths.set(name, join(data, name));

  const start = await writeStart(join(folder, 'start'), planned, reporter, owned);
  if (start !== null) paths.set(`start/${START_FILES[start]}`, join(folder, 'start', START_FILES[start]));
  if (resume) for (const name of [TRAINABLE, OPTIMIZER]) paths.set(`resume/${name}`, join(resume.checkpoint, name));

  const hubId = hubModel(planned);
  if (hubId === null) for (const [name, path] of await modelFiles(folder, planned)) paths.set(`model/${name}`, path);

  const files = describeFiles(paths);
  const python = attached.method.python!;
  const { totalSteps } = plan;
  const steps = Array.from({ length: totalSteps }, (_, i) => i + 1);
  const epochEnds = steps.filter(step => plan.endsEpoch(step));
  const settings = {
    name: run.config.name,
    num_workers: engine.num_workers,
    cpus_per_worker: engine.threads ?? 1,
    use_gpu: engine.use_gpu,
    storage_path: engine.storage_path,
    strategy: engine.strategy,
    model: hubId,
    peft: 'configClass' in python ? { configClass: python.configClass, config: attached.toAdapterConfig() } : null,
    trained: 'configClass' in python ? null : trainedOf(attached.plan('training')).map(({ key }) => key),
    start: start === null ? null : { kind: start, file: START_FILES[start] },
    resized_to:
      planned.start && planned.start.baseVocabulary !== attached.architecture.vocabSize
        ? attached.architecture.vocabSize
        : null,
    packed: packs(planned),
    seed: training.seed,
    gradient_checkpointing: shape.gradientCheckpointing && !hasPrefix(attached),
    optimizer: {
      learning_rate: training.learning_rate,
      betas: [training.adam_beta1, training.adam_beta2],
      epsilon: training.adam_epsilon,
      weight_decay: training.weight_decay,
      max_grad_norm: training.max_grad_norm,
    },
    schedule: { type: training.lr_scheduler_type, warmup_steps: warmupSteps(training, totalSteps) },
    training: {
      logging_steps: training.logging_steps,
      save_at: training.save_steps ?? epochEnds,
      sample_steps: samples.steps,
      max_minutes: training.max_minutes,
      early_stopping_patience: training.early_stopping_patience,
      early_stopping_threshold: training.early_stopping_threshold,
      load_best: training.load_best_model_at_end,
    },
    evaluation: rows.validation
      ? {
          batch_size: training.per_device_eval_batch_size ?? training.per_device_train_batch_size,
          at: training.eval_steps ?? epochEnds,
          best: { name: metrics.best.name, better: metrics.best.better },
        }
      : null,
    samples: {
      max_new_tokens: samples.max_new_tokens,
      end_ids: onDisk.files.tokenizer === null ? [] : endTokensOf(onDisk),
      prompts: samples.prompts.map(prompt => ({
        prompt,
        ids: promptIds(onDisk.tokenizer, attached.architecture.vocabSize, prompt),
      })),
    },
    resume: resume && jobState(resume.point.state),
    files,
  };
  return { settings, paths, files, differences: differences(planned) };
}

/** What the workers go on with of a checkpoint's state. */
function jobState(state: ResumePoint['state']): JobState {
  const { step, num_tokens, best_step, best_loss, best_metric, initial_loss, initial_metric, evaluated } = state;
  const { evaluations_without_improvement, train_seconds } = state;
  const best = { best_step, best_loss, best_metric };
  const initial = { initial_loss, initial_metric };
  return { step, num_tokens, ...best, ...initial, evaluated, evaluations_without_improvement, train_seconds };
}

/** The id by which the cluster loads the base from the hub; null: its files are sent. */
export function hubModel(planned: PlannedRun): string | null {
  const named = pythonModel(planned);
  return named !== null && !isAbsolute(named) ? named : null;
}

/** The base model's own files if Transformers reads them, else the folder that `merge` writes. */
async function modelFiles(folder: string, planned: PlannedRun): Promise<Map<string, string>> {
  const { files } = planned.onDisk;
  const isPlain = (name: string) =>
    /^(config|generation_config)\.json$|^model(-\d+-of-\d+)?\.safetensors$|^model\.safetensors\.index\.json$/.test(
      name,
    );
  const listed = (from: string) =>
    new Map(
      namesIn(from)
        .filter(isPlain)
        .map(name => [name, join(from, name)] as const),
    );
  if (
    pythonModel(planned) !== null &&
    ['model.safetensors', 'model.safetensors.index.json'].some(name => existsSync(join(files.path, name)))
  )
    return listed(files.path);
  const made = join(folder, 'model');
  const model = modelOnFiles(files);
  try {
    await writeFolderFiles(made, modelFolderFiles(model, files, new Map()));
  } finally {
    model.dispose();
  }
  return listed(made);
}

function differences({ run, attached, shape }: PlannedRun): string[] {
  const { training } = run.config;
  return [
    ...(Object.entries(attached.toAdapterConfig()).some(([key, value]) => key.endsWith('dropout') && Number(value) > 0)
      ? ['PyTorch drops other values at each step, so that losses differ a little from those of this machine']
      : []),
    ...(shape.packing && !packs({ shape, attached })
      ? ['PEFT can’t pack rows with this method: each row is a sequence, with the same loss']
      : []),
    ...(training.gradient_checkpointing && hasPrefix(attached)
      ? ['PEFT has no gradient checkpointing with this method, so it takes more memory']
      : []),
  ];
}
