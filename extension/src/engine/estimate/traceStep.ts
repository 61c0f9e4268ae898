// Runs one eager training step, as it is, on the backend of shapes and tells which bytes stood when. Called by
// estimateRun.ts; traceGraph.ts does it for captured steps.
import * as tf from '@tensorflow/tfjs-core';
import { createRng } from '../data/rng.js';
import { sizeOf, type Architecture, type ModelInput } from '../models/architecture.js';
import { CausalLm, type ForwardOptions } from '../models/causalLm.js';
import type { Weight } from '../models/quantizedWeight.js';
import { Adapter } from '../peft/adapter.js';
import type { PeftMethod } from '../peft/method.js';
import { AdamW } from '../training/adamW.js';
import { trainingStep } from '../training/trainingStep.js';
import { describedTensors, describedWeights, type DescribedBase } from './describedBase.js';
import { countBytes, type ByteCounter } from './shapeBackend.js';
import { fullBatch, virtualTokensOf, type StepShape, type StepTrace } from './stepTrace.js';

/** A model that notes how much stands when the gradient comes back to its hidden states. */
class ProbedLm extends CausalLm {
  afterForward = 0;

  constructor(
    architecture: Architecture,
    weights: Map<string, Weight>,
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
export function traceStep(base: DescribedBase, method: PeftMethod, config: unknown, shape: StepShape): StepTrace {
  return countBytes(counter => {
    const { liveBytes: before, flops, written } = counter;
    const { architecture } = base;
    const tensors = describedTensors(base).map(({ shape, dtype }) => tf.fill([...shape], 0, dtype));
    const model = new ProbedLm(architecture, describedWeights(base, tensors), counter);
    // Values that nobody reads: drawing them would take longer than the step.
    const values = ({ shape }: { shape: readonly number[] }) => new Float32Array(sizeOf(shape));
    const adapter = Adapter.attach(method, config, model, { purpose: 'training', rng: createRng(0), values });
    adapter.takeOver();
    const standing = counter.liveBytes - before;
    const optimizer = new AdamW(adapter.variables, { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 });
    try {
      const batch = fullBatch(architecture, virtualTokensOf(method, config, architecture), shape);
      // More micro-batches than two take no more memory than two.
      const batches = shape.gradientAccumulationSteps > 1 ? [batch, batch] : [batch];
      trainingStep(model, adapter, optimizer, batches, { learningRate: 1e-3, maxGradNorm: 0.5, rng: createRng(0) });
      const optimizerBytes = 8 * adapter.numParameters;
      const times = shape.gradientAccumulationSteps / batches.length;
      return {
        weights: standing,
        activations: model.afterForward - before - standing - optimizerBytes,
        peak: counter.peakBytes - before,
        nodes: 0,
        flops: (counter.flops - flops) * times,
        written: (counter.written - written) * times,
      };
    } finally {
      optimizer.dispose();
      adapter.dispose();
      model.dispose();
    }
  });
}
