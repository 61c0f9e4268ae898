// Runs a parity case on this engine, from the files that PEFT wrote: loads, trains step by step, computes logits. Used
// by the parity tests. It calls the engine like a run and computes nothing itself.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type { Batch } from '../../extension/src/engine/data/batch.js';
import { makeBatch } from '../../extension/src/engine/data/batches.js';
import { createRng } from '../../extension/src/engine/data/rng.js';
import { openHuggingFaceFolder } from '../../extension/src/engine/files/huggingfaceFolder.js';
import type { ModelFiles } from '../../extension/src/engine/files/tensorSource.js';
import type { CausalLm } from '../../extension/src/engine/models/causalLm.js';
import { loadModel } from '../../extension/src/engine/models/loadModel.js';
import { Adapter } from '../../extension/src/engine/peft/adapter.js';
import { AttachedMethod } from '../../extension/src/engine/peft/attachedMethod.js';
import { checkAdapterTensors, openAdapter, type SavedAdapter } from '../../extension/src/engine/peft/adapterFiles.js';
import { peftMethod } from '../../extension/src/engine/peft/registry.js';
import { AdamW } from '../../extension/src/engine/training/adamW.js';
import { learningRateAt } from '../../extension/src/engine/training/schedules.js';
import { modelInput } from '../../extension/src/engine/training/microBatch.js';
import { defaultObjective } from '../../extension/src/engine/training/objectives/registry.js';
import { trainingStep } from '../../extension/src/engine/training/trainingStep.js';
import { trainingConfigSchema } from '../../extension/src/protocol/runConfig.js';
import { parityDataset, parityFolder, readTensors, type ParityCase, type ParityStep } from './fixtures.js';

export function openParityModel(name: string): { files: ModelFiles; model: CausalLm } {
  const files = openHuggingFaceFolder(join(parityFolder, name), name);
  return { files, model: loadModel(files) };
}

/** The adapter that PEFT saved before training; null for SELECTIVE and FULL, which start from the base. */
export function openStart({ model: modelName, name }: ParityCase, model: CausalLm): SavedAdapter | null {
  const folder = join(parityFolder, modelName, name);
  return existsSync(join(folder, 'adapter_config.json')) ? openAdapter(folder, model.architecture) : null;
}

/** The case's method attached for training, with PEFT's initial values. The caller disposes it. */
export function attachForTraining(parityCase: ParityCase, model: CausalLm): Adapter {
  const { peft_type: peftType, ...block } = parityCase.method;
  const method = peftMethod(peftType)!;
  const config = method.schema.parse(block);
  const saved = openStart(parityCase, model);
  const extra = [parityCase.model, parityCase.name, 'trainable_start.safetensors'];
  const values = existsSync(join(parityFolder, ...extra)) ? readTensors(...extra) : null;
  if (saved && !values) checkAdapterTensors(saved, saved.attached.plan('training'));
  const adapter = Adapter.attach(new AttachedMethod(method, config, model.architecture), model, {
    purpose: 'training',
    rng: createRng(0),
    values: ({ key }) => (values ? values.get(key) : saved?.tensors.get(key)?.readFloat32()),
  });
  saved?.close();
  return adapter;
}

/** Trains the case's steps; calls `onStep` with the figures of each. */
export async function trainCase(
  { training, steps = [] }: ParityCase,
  model: CausalLm,
  adapter: Adapter,
  onStep: (step: number, ours: Omit<ParityStep, 'micro_batches'>) => void,
): Promise<void> {
  const config = trainingConfigSchema.parse(training);
  const rng = createRng(0);
  const optimizer = new AdamW(adapter.variables, {
    beta1: config.adam_beta1,
    beta2: config.adam_beta2,
    epsilon: config.adam_epsilon,
    weightDecay: config.weight_decay,
  });
  for (const [step, { micro_batches: microBatches }] of steps.entries()) {
    const learningRate = learningRateAt(step, config, config.max_steps);
    const batches = microBatches.map(rows => batchOf(asRows(rows), model, adapter));
    const maxGradNorm = config.max_grad_norm;
    const { loss, gradNorm } = await trainingStep({ objective: defaultObjective, model, adapter }, optimizer, batches, {
      learningRate,
      maxGradNorm,
      rng,
    });
    onStep(step, { loss, grad_norm: gradNorm, learning_rate: learningRate });
  }
  optimizer.dispose();
}

/** One sequence per row. */
export function asRows(rows: readonly number[]): number[][] {
  return rows.map(row => [row]);
}

function batchOf(sequences: number[][], { architecture }: CausalLm, adapter?: Adapter): Batch {
  const virtualTokens = adapter?.forwardOptions.hooks.virtualTokens?.count ?? 0;
  return makeBatch({ sequences }, parityDataset, { virtualTokens, firstVirtualId: architecture.vocabSize });
}

/**
 * Logits of the rows' own tokens, row after row: [sum of lengths * vocab].
 * @param sequences rows by index; several in a sequence are packed
 */
export async function logitsOf(model: CausalLm, sequences: number[][], adapter?: Adapter): Promise<Float32Array> {
  const { vocabSize } = model.architecture;
  const batch = batchOf(sequences, model, adapter);
  const options = adapter?.forwardOptions ?? {};
  const logits = tf.tidy(() => model.logits(model.forward(modelInput(batch), options), options));
  const all = await logits.data<'float32'>();
  logits.dispose();
  const kept: number[] = [];
  batch.inputIds.forEach((id, row) => {
    const ownToken = batch.segmentIds[row] !== 0 && id < vocabSize;
    if (ownToken) kept.push(...all.subarray(row * vocabSize, (row + 1) * vocabSize));
  });
  return Float32Array.from(kept);
}
