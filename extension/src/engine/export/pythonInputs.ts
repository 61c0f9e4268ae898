// What a Python program needs to train as a run does: its rows and their order, the values before the first step, and what
// Transformers and PEFT call its model and method. For `eject` and for runs on a Ray cluster.
import { isAbsolute, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { IGNORE_LABEL, type EncodedExample } from '../../core/data/example.js';
import { createRng } from '../data/rng.js';
import { openBackend } from '../backend/openBackend.js';
import { START_FILES, type PythonRun } from './pythonProgram.js';
import { writeFileAtomically } from '../files/atomicFile.js';
import { finiteValues } from '../files/finiteValues.js';
import { writeChatTemplates } from '../files/huggingfaceFolder.js';
import { writeDeviceTensors } from '../files/safetensors.js';
import { modelOnFiles } from '../models/loadModel.js';
import { Adapter } from '../peft/adapter.js';
import { saveAdapter } from '../peft/adapterFiles.js';
import type { AttachedMethod } from '../peft/attachedMethod.js';
import { trainedOf } from '../peft/method.js';
import type { RowSet, StepPlan } from '../training/stepPlan.js';
import type { OwnedResources } from '../run/ownedResources.js';
import type { PlannedRun } from '../run/prepareRun.js';
import type { Reporter } from '../run/reporter.js';
import { baseModelName } from '../run/resolvedRun.js';

/** Rows as the batches of the run have them, and for each step the numbers of its rows. */
export function writeData(folder: string, { rows, shape, attached }: PlannedRun, plan: StepPlan): void {
  const { train, validation } = rows;
  const firstIsTrained = attached.virtualTokens > 0;
  writeLines(join(folder, 'train.jsonl'), rowsOf(train, firstIsTrained));
  if (validation) writeLines(join(folder, 'validation.jsonl'), rowsOf(validation, firstIsTrained));
  const numbers = new Map(Array.from(train.indices, (index, number) => [index, number]));
  const isPacked = packs({ shape, attached });
  const orderOf = (step: number) =>
    plan.microBatches(step).map(({ sequences }) => {
      const numbered = sequences.map(sequence => sequence.map(row => numbers.get(row)!));
      return isPacked ? numbered : numbered.flat();
    });
  writeLines(
    join(folder, 'order.jsonl'),
    (function* () {
      for (let step = 0; step < plan.totalSteps; step++) yield orderOf(step);
    })(),
  );
}

function* rowsOf({ dataset, indices }: RowSet, firstIsTrained: boolean): Generator<unknown> {
  for (let i = 0; i < indices.length; i++) {
    const { inputIds, labels } = dataset.get(indices[i]!) as EncodedExample;
    // Nothing predicts the first token, also not the row before it in a packed sequence.
    if (!firstIsTrained) labels[0] = IGNORE_LABEL;
    yield { input_ids: [...inputIds], labels: [...labels] };
  }
}

function writeLines(path: string, values: Iterable<unknown>): void {
  writeFileAtomically(path, append => {
    for (const value of values) append(Buffer.from(`${JSON.stringify(value)}\n`));
  });
}

/** PEFT puts virtual tokens, or a prefix, before a sequence and not before each row in it. */
export function packs({ shape, attached }: Pick<PlannedRun, 'shape' | 'attached'>): boolean {
  return shape.packing && attached.positionsTaken === 0;
}

/** Keys and values before the input, which PEFT refuses to combine with gradient checkpointing. */
export function hasPrefix({ positionsTaken, virtualTokens }: AttachedMethod): boolean {
  return positionsTaken > virtualTokens;
}

/** @returns how the program loads what was written; null: the model's own values are the start */
export async function writeStart(
  folder: string,
  { run, onDisk, attached, start }: PlannedRun,
  reporter: Reporter,
  owned: OwnedResources,
): Promise<PythonRun['start']> {
  const { ownTemplate } = onDisk.files;
  if (ownTemplate !== undefined) writeChatTemplates(folder, ownTemplate);
  const { storage } = attached.method;
  if (storage !== 'adapter' && !start) return null;
  const { engine, training } = run.config;
  await openBackend({ ...engine, onWarning: reporter.warn });
  const model = owned.own(modelOnFiles(onDisk.files), opened => opened.dispose());
  const adapter = Adapter.attach(attached, model, {
    purpose: 'training',
    rng: createRng(training.seed).fork('adapter'),
    tokenize: text => onDisk.tokenizer.encode(text),
    values: ({ key }) => {
      const tensor = start?.tensors.get(key);
      return tensor && finiteValues(tensor);
    },
  });
  owned.own(adapter, opened => opened.dispose());
  const saved = adapter.exportTensors();
  owned.own(saved, tensors => tf.dispose([...tensors.values()]));
  if (storage !== 'adapter') {
    await writeDeviceTensors(join(folder, START_FILES.model), saved);
    return 'model';
  }
  const hasEncoder = trainedOf(attached.plan('training')).some(({ key }) => !saved.has(key));
  if (!hasEncoder) {
    await saveAdapter(folder, adapter, baseModelName(onDisk));
    return 'adapter';
  }
  await writeDeviceTensors(join(folder, START_FILES.encoder), adapter.variables);
  return 'encoder';
}

/** What Transformers loads the model by; null if it isn't a Hugging Face folder or only this program has it. */
export function pythonModel({ onDisk }: PlannedRun): string | null {
  const { reference, format, path } = onDisk.files;
  if (format === 'gguf' || reference.startsWith('embedded:')) return null;
  return isAbsolute(reference) ? path : baseModelName(onDisk);
}
