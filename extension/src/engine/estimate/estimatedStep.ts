// What both ways of tracing a training step (eager: traceEager.ts, captured: traceGraph.ts) take and give.
import type { Batch } from '../data/batch.js';
import type { AttachedMethod } from '../peft/attachedMethod.js';
import type { WeightLayouts } from '../models/weightLayouts.js';
import type { RunShape } from '../training/runShape.js';
import type { DescribedBase } from './describedBase.js';

/** A training step that is only described: nothing of it is loaded. */
export interface EstimatedStep extends Omit<DescribedBase, 'architecture'> {
  attached: AttachedMethod;
  /** How matrices are held that aren't float32. */
  layouts: WeightLayouts;
  shape: Pick<RunShape, 'objective' | 'batchSize' | 'maxLength' | 'gradientAccumulationSteps'> & Partial<RunShape>;
  /** Tokens of its longest sequence, virtual ones left out. */
  sequenceLength: number;
}

/** What the step's base is. */
export function baseOf({ attached: { architecture }, layouts, heads }: EstimatedStep): DescribedBase {
  return { architecture, layouts, heads };
}

export interface StepTrace {
  /** Bytes of base and added parameters and what the model holds beside them; what training replaces counts once. */
  weights: number;
  /** Bytes that the forward pass leaves for the backward pass. */
  activations: number;
  /** The most bytes that stood at once. */
  peak: number;
  /** Nodes of the graph of a micro-batch; 0 where nothing is captured. */
  nodes: number;
  /** Floating point operations of the step's matrix products. */
  flops: number;
  /** Bytes that its other operations write. */
  written: number;
}

/** The largest batch of a run: no padding, a label at every token. */
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
