// Which rows a run trained on in a step: they follow from its seed and settings, so they are found again, not recorded. The tokens that
// the run counted must be those of the rows found, or there is no answer: another file, tokenizer or engine than that of the run.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { InputError } from '../../core/inputError.js';
import { count } from '../../core/units.js';
import type { EngineEvent } from '../../protocol/engineEvent.js';
import { readEvents } from '../runFolder/eventLog.js';
import { RunFolder } from '../runFolder/runFolder.js';
import { planSteps, type StepPlan } from '../training/stepPlan.js';
import { OwnedResources } from './ownedResources.js';
import { readRunFile, type RunFile } from './readRunFile.js';
import type { Reporter } from './reporter.js';
import { editedSince, modelOf, trainingRows, type TrainingRows } from './trainedRows.js';

type Event<T extends EngineEvent['type']> = Extract<EngineEvent, { type: T }>;

/** The training rows of a run and their order. */
export interface RunRows {
  folder: RunFolder;
  run: RunFile;
  events: readonly EngineEvent[];
  rows: TrainingRows;
  plan: StepPlan;
  /** Frees the rows. */
  dispose(): void;
}

/** @throws InputError if the folder has no run, or its training file or model can't be read or isn't the one that it was trained on */
export async function openRunRows(path: string, reporter: Reporter): Promise<RunRows> {
  const folder = RunFolder.open(resolve(path));
  const run = readRunFile(folder.runFile, 'refuse');
  const events = existsSync(folder.eventsFile) ? readEvents(folder.eventsFile) : [];
  const started = events.findLast(event => event.type === 'started');
  if (!started)
    throw new InputError('this run has not begun yet', { file: path, hint: 'Its rows are known once it has.' });
  const owned = new OwnedResources();
  try {
    const rows = await trainingRows(run, modelOf(run), reporter, owned);
    checkRows(rows, started);
    const plan = planSteps(rows.train, rows.shape, run.config.training);
    return { folder, run, events, rows, plan, dispose: () => owned.dispose() };
  } catch (error) {
    owned.dispose();
    throw error;
  }
}

/** @throws InputError unless these are the rows that the run began with, or was last resumed with */
function checkRows({ train }: TrainingRows, { dataset_hash: hash, train_rows: rows }: Event<'started'>): void {
  const { stats, file } = train.dataset;
  if (hash !== undefined && hash !== stats.contentHash) throw editedSince(file);
  if (rows === train.indices.length) return;
  const found = `it used ${count(rows)} rows, of which ${count(train.indices.length)} are found`;
  throw new InputError(`this is not what the run was trained on: ${found}`, {
    file,
    hint: 'The tokenizer, the template or the engine is another one than then.',
  });
}

/** A row of a step: its index in the dataset, and where it was. Both are counted from 0. */
export interface StepRow {
  row: number;
  microBatch: number;
  sequence: number;
}

/**
 * The rows of a step, in the order of its micro-batches.
 * @param step counted from 1, as in charts
 * @throws InputError if the run hasn't trained the step, or its tokens aren't those that the run counted
 */
export function rowsOfStep(opened: RunRows, step: number): StepRow[] {
  const { plan, folder } = opened;
  const steps = trainedSteps(opened.events);
  const last = steps.at(-1)?.step ?? 0;
  if (step > last || step > plan.totalSteps)
    throw new InputError(last === 0 ? 'the run has trained no step yet' : `the run has trained ${last} steps`, {
      file: folder.path,
      key: '--step',
      ...(last > 0 && { hint: `Name a step from 1 to ${last}.` }),
    });
  checkFile(opened, step);
  checkTokens(opened, steps, step);
  return plan
    .microBatches(step - 1)
    .flatMap(({ sequences }, microBatch) =>
      sequences.flatMap((rows, sequence) => rows.map(row => ({ row, microBatch, sequence }))),
    );
}

/** The `step` events, each step once: those after a crash are trained, and recorded, again. */
function trainedSteps(events: readonly EngineEvent[]): Event<'step'>[] {
  const byStep = new Map<number, Event<'step'>>();
  for (const event of events) if (event.type === 'step') byStep.set(event.step, event);
  return [...byStep.values()].sort((a, b) => a.step - b.step);
}

/** @throws InputError if the step was trained before the file was edited and the run resumed: what is found is the file since then */
function checkFile({ events, folder }: RunRows, step: number): void {
  const starts = events.filter(event => event.type === 'started');
  const last = starts.at(-1)!;
  const ofStep = starts.findLast(({ resumed_from_step: from }) => from < step) ?? last;
  if (ofStep.dataset_hash === undefined || ofStep.dataset_hash === last.dataset_hash) return;
  throw new InputError(`the training file was another one at step ${step}, before the run was resumed`, {
    file: folder.path,
    key: '--step',
    hint: `Name a step after ${last.resumed_from_step}.`,
  });
}

/** Compares the tokens between the two records of tokens around the step. @throws InputError if they differ */
function checkTokens({ plan, rows, folder }: RunRows, steps: readonly Event<'step'>[], step: number): void {
  const to = steps.find(each => each.step >= step)!;
  const from = steps.findLast(each => each.step < step);
  const first = from?.step ?? 0;
  const { dataset } = rows.train;
  let tokens = 0;
  for (let i = first; i < to.step; i++)
    for (const row of plan.microBatches(i).flatMap(({ sequences }) => sequences.flat()))
      tokens += dataset.lengthOf(row);
  const recorded = to.num_tokens - (from?.num_tokens ?? 0);
  if (tokens === recorded) return;
  throw new InputError(
    `the rows of step ${step} can't be told: steps ${first + 1} to ${to.step} had ${count(recorded)} tokens, those found have ${count(tokens)}`,
    {
      file: folder.path,
      hint: 'The rows, the tokenizer or the engine were others when the step was trained.',
    },
  );
}
