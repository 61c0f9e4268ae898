// What a method saves compared with full fine-tuning, in sentences. For the dashboard and the run panel.
import type { MemoryParts } from '../../protocol/engineEvent.js';
import { bytes, count, percent } from '../units.js';

/** Gradient and AdamW's two moments, in float32. */
const BYTES_PER_TRAINED_PARAMETER = 12;
/** A model of useful size, for comparison. */
const LARGE_MODEL = { parameters: 1e9, title: '1 billion parameters' };
/** Below this share of the memory of a step, the saving is explained. */
const LITTLE = 0.25;

export interface ComparedRun {
  trainedParameters: number;
  memory: MemoryParts;
  /** The same for full fine-tuning; null if it can't be estimated. */
  full: { trainedParameters: number; memory: MemoryParts } | null;
}

export function savingsInWords({ trainedParameters: trained, memory, full }: ComparedRun): string {
  if (!full) return `${count(trained)} parameters are trained.`;
  if (trained >= full.trainedParameters) return `All ${count(trained)} parameters are trained.`;
  const saved = full.memory.total - memory.total;
  const sentences = [
    `${count(trained)} parameters are trained instead of ${count(full.trainedParameters)}: ` +
      `${percent(1 - trained / full.trainedParameters)} fewer.`,
    `Their gradients and optimizer states take ${bytes(ofTrained(memory))} instead of ${bytes(ofTrained(full.memory))}.`,
    `A whole step takes an estimated ${bytes(memory.total)} instead of ${bytes(full.memory.total)}.`,
  ];
  if (saved < LITTLE * full.memory.total) sentences.push(whyLittle(memory));
  return sentences.join(' ');
}

function whyLittle({ activations, temporary, weights, total }: MemoryParts): string {
  const ofBatch = activations + temporary;
  const [part, what] =
    ofBatch > weights ? [ofBatch, 'activations and buffers of the batch'] : [weights, 'the model’s own weights'];
  const large = bytes(LARGE_MODEL.parameters * BYTES_PER_TRAINED_PARAMETER);
  return (
    `The difference is small here because ${percent(part / total)} of the step are ${what}, which every method needs. ` +
    `In full fine-tuning of a model with ${LARGE_MODEL.title}, gradients and optimizer states alone take ${large}.`
  );
}

function ofTrained({ gradients, optimizer }: MemoryParts): number {
  return gradients + optimizer;
}
