// `tunewright eject`: a run as a Python program with everything it reads, the rows and the values before the first step. They come from
// the same functions as those of a run. The text of the program is in export/pythonProgram.ts.
import { existsSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../../core/inputError.js';
import { VALIDATION_LOSS } from '../../core/runs/bestMetric.js';
import { namesIn, writeWhole } from '../../system/regularFile.js';
import { makeFolder } from '../../system/makeFolder.js';
import { hasPrefix, packs, pythonModel, writeData, writeStart } from './pythonInputs.js';
import { pythonProgram, START_FILES, type PythonRun } from './pythonProgram.js';
import { asInputError, removeAtExit } from '../files/atomicFile.js';
import { checkNameLength } from '../files/newFolder.js';
import { peftMethods } from '../peft/registry.js';
import { warmupSteps } from '../training/schedules.js';
import { planSteps, type StepPlan } from '../training/stepPlan.js';
import { OwnedResources } from '../run/ownedResources.js';
import { planRun, type PlannedRun } from '../run/prepareRun.js';
import type { RunFile } from '../run/readRunFile.js';
import type { Reporter } from '../run/reporter.js';

/** Each has a line in the file of the order. */
const MAX_EJECTED_STEPS = 1_000_000;

export interface EjectRequest {
  /** The program's file, whose name ends in .py. */
  out: string;
  /** Replace what is there. */
  force: boolean;
  reporter: Reporter;
  signal: AbortSignal;
}

export interface EjectedRun {
  /** All that was written. */
  files: string[];
  steps: number;
  /** What the run has and the program hasn't. */
  differences: readonly string[];
  /** Whether the model must be written as a folder first, for Python to read it. */
  wantsFolder: boolean;
}

/** @throws InputError if something is wrong with the run, or PEFT doesn't have its method */
export async function ejectRun(run: RunFile, request: EjectRequest): Promise<EjectedRun> {
  const { out, force } = request;
  if (!run.method.python)
    throw new InputError(`Python’s PEFT has no method ${run.method.peftType}`, {
      file: run.path,
      key: 'method.peft_type',
      hint: `These can be ejected: ${ejectable().join(', ')}.`,
    });
  const stem = basename(out).replace(/\.py$/i, '');
  const results = [`${stem}.start`, `${stem}.data`, basename(out)].map(name => join(dirname(out), name));
  checkFree(results, force);
  const owned = new OwnedResources();
  const temporary = join(dirname(out), `${stem}.${process.pid}.tmp`);
  owned.own(removeAtExit(temporary), settled => settled());
  owned.own(temporary, path => rmSync(path, { recursive: true, force: true }));
  try {
    const planned = await planRun(run, request, owned);
    const plan = planSteps(planned.rows.train, planned.shape, run.config.training);
    if (plan.totalSteps > MAX_EJECTED_STEPS)
      throw new InputError(`the run has ${plan.totalSteps} steps, and an ejected run has a line for each`, {
        file: run.path,
        key: run.config.training.max_steps > 0 ? 'training.max_steps' : 'training.num_train_epochs',
        hint: `Lower it to ${MAX_EJECTED_STEPS} steps at most.`,
      });
    makeFolder(temporary);
    writeData(join(temporary, `${stem}.data`), planned, plan);
    const start = await writeStart(join(temporary, `${stem}.start`), planned, request.reporter, owned);
    const facts = factsOf(planned, plan, start);
    writeWhole(join(temporary, basename(out)), pythonProgram(facts, stem), 'refuse', 'create');
    // Also of what has come there in the meantime.
    checkFree(results, force);
    const written = results.filter(path => existsSync(join(temporary, basename(path))));
    for (const path of results) rmSync(path, { recursive: true, force: true });
    for (const path of written) renameSync(join(temporary, basename(path)), path);
    return {
      files: written,
      steps: plan.totalSteps,
      differences: facts.differences,
      wantsFolder: facts.modelPath === null,
    };
  } catch (error) {
    throw asInputError(error, out);
  } finally {
    owned.dispose();
  }
}

/** What an earlier program came with. */
const OWN_FILES: readonly string[] = [
  ...Object.values(START_FILES),
  ...['adapter_config.json', 'chat_template.jinja', 'additional_chat_templates'],
  ...['train.jsonl', 'order.jsonl', 'validation.jsonl'],
];

/** @throws InputError if something would be replaced that isn't to be */
function checkFree(results: readonly string[], force: boolean): void {
  for (const path of results) checkNameLength(path, 'Choose a shorter name with --out.');
  const there = results.find(path => existsSync(path));
  if (there !== undefined && !force)
    throw new InputError('this exists', {
      file: there,
      hint: 'Choose another file with --out, or replace it with --force.',
    });
  for (const folder of results.slice(0, 2)) checkOwn(folder);
}

/** @throws InputError if replacing the folder would remove something else */
function checkOwn(folder: string): void {
  const other = namesIn(folder).find(name => !OWN_FILES.includes(name));
  if (other !== undefined)
    throw new InputError(`this folder has something else in it, ${other}, and isn’t replaced`, {
      file: folder,
      hint: 'Choose another file with --out.',
    });
}

/** The methods that Python has too. */
export function ejectable(): string[] {
  return peftMethods.filter(({ python }) => python).map(({ peftType }) => peftType);
}

function factsOf(planned: PlannedRun, plan: StepPlan, start: PythonRun['start']): PythonRun {
  const { run, onDisk, attached, shape, rows, metrics } = planned;
  const { name, training } = run.config;
  const { method, config, architecture } = attached;
  const python = method.python!;
  const byLoss = metrics.best.name === VALIDATION_LOSS.name && metrics.best.better === 'lower';
  const { totalSteps } = plan;
  const steps = Array.from({ length: totalSteps }, (_, i) => i + 1);
  const every = training.eval_steps;
  const at = every ?? steps.filter(step => plan.endsEpoch(step));
  const evaluates = every === null || every <= totalSteps;
  return {
    name,
    methodTitle: method.title,
    modelName: run.config.model,
    modelPath: pythonModel(planned),
    peft: 'configClass' in python ? { configClass: python.configClass, config: attached.toAdapterConfig() } : null,
    trained: 'trained' in python ? python.trained(config, architecture) : null,
    start,
    hasTokenizer: onDisk.files.tokenizer !== null,
    ownTemplate: onDisk.files.ownTemplate !== undefined,
    resizedTo: planned.start && planned.start.baseVocabulary !== architecture.vocabSize ? architecture.vocabSize : null,
    packed: packs(planned),
    differences: differences(planned, byLoss),
    training,
    warmupSteps: warmupSteps(training, totalSteps),
    gradientCheckpointing: shape.gradientCheckpointing && !hasPrefix(attached),
    evaluation:
      rows.validation && evaluates
        ? {
            batchSize: training.per_device_eval_batch_size ?? training.per_device_train_batch_size,
            at,
            keepBest: byLoss && training.load_best_model_at_end,
            patience: byLoss ? training.early_stopping_patience : null,
            threshold: training.early_stopping_threshold,
          }
        : null,
  };
}

function differences({ run, attached, shape, metrics }: PlannedRun, byLoss: boolean): string[] {
  const { training, engine, samples } = run.config;
  const dropout = Object.entries(attached.toAdapterConfig()).find(
    ([key, value]) => key.endsWith('dropout') && Number(value) > 0,
  );
  const { best } = metrics;
  return [
    ...(dropout ? [`${dropout[0]}: PyTorch drops other values at each step, so that losses differ a little.`] : []),
    ...(engine.base_weights === 'float32'
      ? []
      : [`The run holds the frozen weights in ${engine.base_weights}; here they are float32.`]),
    ...(engine.precision === 'float32' ? [] : [`The run has precision ${engine.precision}; here it is float32.`]),
    ...(shape.packing && !packs({ shape, attached })
      ? [
          'The run packs several rows into a sequence. PEFT can’t with this method: here each row is a sequence, with the same loss.',
        ]
      : []),
    ...(training.max_minutes === null ? [] : ['There is no time limit: max_minutes of the run.']),
    ...(byLoss
      ? []
      : [
          `The run chooses its best evaluation by ${best.name}. Here it isn’t measured, and the last step is the result.`,
        ]),
    ...(training.gradient_checkpointing && hasPrefix(attached)
      ? ['PEFT has no gradient checkpointing with this method, so it takes more memory.']
      : []),
    ...(samples.prompts.length > 0 || training.eval_metrics.length > 0
      ? ['Prompts of samples and rows of eval_metrics aren’t answered.']
      : []),
    'There are no checkpoints to resume from.',
  ];
}
