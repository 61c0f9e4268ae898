// Input and result of both ways to trace a training step (eager: traceEager.ts, captured: traceGraph.ts).
import type { Batch } from '../data/batch.js';
import type { AttachedMethod } from '../peft/attachedMethod.js';
import type { WeightLayouts } from '../models/weightLayouts.js';
import type { RunShape } from '../training/runShape.js';
import type { DescribedBase } from './describedBase.js';

/** The description of a training step; nothing is loaded. */
export interface EstimatedStep extends Omit<DescribedBase, 'architecture'> {
  attached: AttachedMethod;
  /** Layouts of the matrices that aren't float32. */
  layouts: WeightLayouts;
  shape: Pick<RunShape, 'objective' | 'batchSize' | 'maxLength' | 'gradientAccumulationSteps'> & Partial<RunShape>;
  /** Tokens of its longest sequence, without virtual tokens. */
  sequenceLength: number;
}

/** The step's base model. */
export function baseOf({ attached: { architecture }, layouts, heads }: EstimatedStep): DescribedBase {
  return { architecture, layouts, heads };
}

export interface StepTrace {
  /** Bytes of base and added parameters and the model's tables; parameters that training replaces count once. */
  weights: number;
  /** Bytes that the forward pass keeps for the backward pass. */
  activations: number;
  /** Maximum bytes in use at the same time. */
  peak: number;
  /** Nodes of the graph of a micro-batch; 0 for an eager step. */
  nodes: number;
  /** Floating point operations of the step's matrix products. */
  flops: number;
  /** Bytes that its other operations write. */
  written: number;
}

/** The largest batch of a run: no padding, and every token after the first is a label token. */
export function fullBatch({ attached, shape: { batchSize }, sequenceLength }: EstimatedStep): Batch {
  const { virtualTokens, architecture } = attached;
  const { vocabSize } = architecture;
  const length = sequenceLength + virtualTokens;
  const tokens = batchSize * length;
  const column = (at: (t: number) => number) => Int32Array.from({ length: tokens }, (_, i) => at(i % length));
  return {
    batchSize,
    sequenceLength: length,
    inputIds: column(t => (t < virtualTokens ? vocabSize + t : 0)),
    labels: column(t => (t <= virtualTokens ? -100 : 0)),
    positionIds: column(t => t),
    segmentIds: column(() => 1),
    numTokens: batchSize * sequenceLength,
    numLabelTokens: batchSize * (sequenceLength - 1),
  };
}
