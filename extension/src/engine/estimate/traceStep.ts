// Runs one training step, as it is, on the backend of shapes and tells which bytes stood when. Called by estimateRun.ts.
import * as tf from '@tensorflow/tfjs-core';
import type { Batch } from '../data/batch.js';
import { createRng } from '../data/rng.js';
import { sizeOf, type Architecture, type ModelInput } from '../models/architecture.js';
import { CausalLm, type ForwardOptions } from '../models/causalLm.js';
import { Adapter } from '../peft/adapter.js';
import type { PeftMethod } from '../peft/method.js';
import { AdamW } from '../training/adamW.js';
import { trainingStep } from '../training/trainingStep.js';
import { countBytes, type ByteCounter } from './shapeBackend.js';

export interface StepTrace {
  /** Bytes of base and added parameters and what the model holds beside them; what training replaces counts once. */
  weights: number;
  /** Bytes that the forward pass leaves for the backward pass. */
  activations: number;
  /** The most bytes that stood at once. */
  peak: number;
}

export interface StepShape {
  batchSize: number;
  /** Tokens of a sequence, virtual ones left out. */
  sequenceLength: number;
  /** Micro-batches of one step; more than two take no more memory than two. */
  gradientAccumulationSteps: number;
}

/** A model that notes how much stands when the gradient comes back to its hidden states. */
class ProbedLm extends CausalLm {
  afterForward = 0;

  constructor(
    architecture: Architecture,
    weights: Map<string, tf.Tensor>,
    private readonly counter: ByteCounter,
  ) {
    super(architecture, weights);
  }

  override forward(input: ModelInput, options?: ForwardOptions): tf.Tensor2D {
    const probe = tf.customGrad(x => ({
      value: tf.clone(x as tf.Tensor),
      gradFunc: dy => {
        this.afterForward = this.counter.liveBytes;
        return dy;
      },
    }));
    return probe(super.forward(input, options)) as tf.Tensor2D;
  }
}

/** @throws InputError where the method's config doesn't fit the architecture */
export function traceStep(
  architecture: Architecture,
  method: PeftMethod,
  config: unknown,
  shape: StepShape,
): StepTrace {
  return countBytes(counter => {
    const before = counter.liveBytes;
    const weights = new Map(architecture.parameters.map(({ name, shape }) => [name, tf.fill([...shape], 0)]));
    const model = new ProbedLm(architecture, weights, counter);
    // Values that nobody reads: drawing them would take longer than the step.
    const values = ({ shape }: { shape: readonly number[] }) => new Float32Array(sizeOf(shape));
    const adapter = Adapter.attach(method, config, model, { purpose: 'training', rng: createRng(0), values });
    adapter.takeOver();
    const standing = counter.liveBytes - before;
    const optimizer = new AdamW(adapter.variables, { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 });
    try {
      const batch = fullBatch(architecture, adapter, shape);
      const batches = shape.gradientAccumulationSteps > 1 ? [batch, batch] : [batch];
      trainingStep(model, adapter, optimizer, batches, { learningRate: 1e-3, maxGradNorm: 0.5, rng: createRng(0) });
      const optimizerBytes = 8 * adapter.numParameters;
      return {
        weights: standing,
        activations: model.afterForward - before - standing - optimizerBytes,
        peak: counter.peakBytes - before,
      };
    } finally {
      optimizer.dispose();
      adapter.dispose();
      model.dispose();
    }
  });
}

/** The largest batch of a run: no padding, a label at every token. */
function fullBatch({ vocabSize }: Architecture, adapter: Adapter, { batchSize, sequenceLength }: StepShape): Batch {
  const virtual = adapter.forwardOptions.hooks.virtualTokens?.count ?? 0;
  const length = sequenceLength + virtual;
  const tokens = batchSize * length;
  const column = (at: (t: number) => number) => Int32Array.from({ length: tokens }, (_, i) => at(i % length));
  return {
    batchSize,
    sequenceLength: length,
    inputIds: column(t => (t < virtual ? vocabSize + t : 0)),
    labels: column(t => (t <= virtual ? -100 : 0)),
    positionIds: column(t => t),
    segmentIds: column(() => 1),
    numTokens: batchSize * sequenceLength,
    numLabelTokens: batchSize * (sequenceLength - 1),
  };
}
