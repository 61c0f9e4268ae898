// What both ways of tracing a training step (eager: traceStep.ts, captured: traceGraph.ts) take and give.
import type { Batch } from '../data/batch.js';
import type { Architecture } from '../models/architecture.js';
import type { ForwardHooks } from '../models/hooks.js';
import type { PeftMethod } from '../peft/method.js';

export interface StepShape {
  batchSize: number;
  /** Tokens of a sequence, virtual ones left out. */
  sequenceLength: number;
  /** Longest sequence that the run allows, which the sizes of captured graphs follow. */
  maxLength: number;
  gradientAccumulationSteps: number;
  gradientCheckpointing?: boolean;
  /** Graphs that the lengths of the run's rows ask for, where it is captured (default 1). */
  graphs?: number;
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

/** Where a method acts, before it has tensors. */
export function unreadHooks(method: PeftMethod, config: unknown, architecture: Architecture): ForwardHooks {
  const unread = () => {
    throw new Error('hooks must not read tensors before the forward pass');
  };
  return method.hooks(config, architecture, unread, 'inference');
}

/** Virtual tokens that a method puts before each example. */
export function virtualTokensOf(method: PeftMethod, config: unknown, architecture: Architecture): number {
  return unreadHooks(method, config, architecture).virtualTokens?.count ?? 0;
}

/** The largest batch of a run: no padding, a label at every token. */
export function fullBatch(
  { vocabSize }: Architecture,
  virtualTokens: number,
  { batchSize, sequenceLength }: StepShape,
): Batch {
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
