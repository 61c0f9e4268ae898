// LoRA training on rows of random tokens, step by step, as a run does it: captured steps, AdamW, clipping.
import { createRng } from '../data/rng.js';
import type { Batch } from '../data/batch.js';
import { makeBatch } from '../data/batches.js';
import type { CausalLm } from '../models/causalLm.js';
import { Adapter } from '../peft/adapter.js';
import { AttachedMethod } from '../peft/attachedMethod.js';
import { lora } from '../peft/lora.js';
import { AdamW } from '../training/adamW.js';
import { CapturedStep } from '../training/capturedStep.js';
import { defaultObjective } from '../training/objectives/registry.js';
import type { StepResult } from '../training/trainingStep.js';

export interface LoraTrainingOptions {
  batchSize: number;
  /** Of each row. */
  tokens: number;
  dropout?: number;
  learningRate?: number;
}

/** Owns the adapter and the steps; the model belongs to the caller. */
export class LoraTraining {
  private readonly adapter: Adapter;
  private readonly optimizer: AdamW;
  private readonly captured: CapturedStep;
  private readonly batch: Batch;
  private readonly learningRate: number;
  private done = 0;

  constructor(model: CausalLm, { batchSize, tokens, dropout = 0, learningRate = 1e-4 }: LoraTrainingOptions) {
    const attached = new AttachedMethod(lora, lora.schema.parse({ lora_dropout: dropout }), model.architecture);
    this.adapter = Adapter.attach(attached, model, { purpose: 'training', rng: createRng('bench adapter') });
    this.optimizer = new AdamW(this.adapter.variables, { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 });
    const training = { objective: defaultObjective, model, adapter: this.adapter };
    this.captured = new CapturedStep(training, this.optimizer, { batchSize, maxLength: tokens });
    const rng = createRng('bench rows');
    const rows = Array.from({ length: batchSize }, () => {
      const ids = Int32Array.from({ length: tokens }, () => rng.int(model.architecture.vocabSize));
      return { inputIds: ids, labels: ids };
    });
    const dataset = { get: (i: number) => rows[i]!, lengthOf: () => tokens };
    const sequences = rows.map((_, i) => [i]);
    this.batch = makeBatch({ sequences }, dataset, { virtualTokens: 0, firstVirtualId: 0 });
    this.learningRate = learningRate;
  }

  step(): Promise<StepResult> {
    const rng = createRng('bench step').fork(String(this.done++));
    return this.captured.step([this.batch], { learningRate: this.learningRate, maxGradNorm: 1, rng });
  }

  dispose(): void {
    this.captured.dispose();
    this.optimizer.dispose();
    this.adapter.dispose();
  }
}
