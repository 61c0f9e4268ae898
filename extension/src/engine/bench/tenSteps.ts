// Ten steps of LoRA on the embedded model, whose losses are known: whether a device computes correctly, before its speed is measured.
import type { CausalLm } from '../models/causalLm.js';
import { LoraTraining } from './loraTraining.js';

/**
 * Of TensorFlow on a CPU in float32, whose steps equal those of PyTorch + PEFT (test/parity); test/unit/engine/bench computes them
 * again.
 */
const LOSSES = [
  16.16823387145996, 15.352348327636719, 13.559487342834473, 12.262007713317871, 11.269822120666504, 10.226436614990234,
  9.558589935302734, 9.127019882202148, 8.736828804016113, 8.32936954498291,
] as const;

/** Largest relative difference that rounding explains. */
export const TOLERANCE = 1e-4;

export interface TenSteps {
  losses: number[];
  /** Largest relative difference from the stored ones. */
  difference: number;
}

export async function tenSteps(model: CausalLm): Promise<TenSteps> {
  const training = new LoraTraining(model, { batchSize: 2, tokens: 32, dropout: 0.1, learningRate: 1e-2 });
  const losses: number[] = [];
  for (let step = 0; step < 10; step++) losses.push((await training.step()).loss);
  training.dispose();
  const difference = Math.max(...losses.map((loss, i) => Math.abs(loss / LOSSES[i]! - 1)));
  return { losses, difference: Number.isNaN(difference) ? Infinity : difference };
}
