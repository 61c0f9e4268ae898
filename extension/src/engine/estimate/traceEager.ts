// Runs one eager training step on the shape backend and reports its memory: everything that trainingStep.ts does except
// reading values. Called by estimateRun.ts; traceGraph.ts does the same for captured steps.
import * as tf from '@tensorflow/tfjs-core';
import { createRng } from '../data/rng.js';
import { sizeOf } from '../models/architecture.js';
import { Adapter } from '../peft/adapter.js';
import { AdamW } from '../training/adamW.js';
import { clipByGlobalNorm } from '../training/stepMath.js';
import { computeGradients } from '../training/trainingStep.js';
import { DescribedModel, describedTensors } from './describedBase.js';
import { countBytes, type ByteCounter } from './shapeBackend.js';
import { baseOf, fullBatch, type EstimatedStep, type StepTrace } from './estimatedStep.js';

/** Returns hidden states unchanged, and reports the bytes in use when their gradient is computed. */
function probe(counter: ByteCounter, report: (bytes: number) => void): (hidden: tf.Tensor2D) => tf.Tensor2D {
  const probed = tf.customGrad(x => ({
    value: tf.clone(x as tf.Tensor),
    gradFunc: dy => {
      report(counter.liveBytes);
      return dy;
    },
  }));
  return hidden => probed(hidden) as tf.Tensor2D;
}

/** @throws InputError if the method's config doesn't fit the architecture */
export function traceEager(step: EstimatedStep): StepTrace {
  const { attached, shape } = step;
  const base = baseOf(step);
  return countBytes(counter => {
    const { liveBytes: before, flops, written } = counter;
    const tensors = describedTensors(base).map(({ shape, dtype }) => tf.fill([...shape], 0, dtype));
    let afterForward = 0;
    const model = new DescribedModel(
      base,
      tensors,
      probe(counter, bytes => (afterForward = bytes)),
    );
    // These values are never read, and drawing them would take longer than the step.
    const values = ({ shape }: { shape: readonly number[] }) => new Float32Array(sizeOf(shape));
    const adapter = Adapter.attach(attached, model, { purpose: 'training', rng: createRng(0), values });
    adapter.takeOver();
    const weights = counter.liveBytes - before;
    const optimizer = new AdamW(adapter.variables, { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 });
    try {
      const batch = fullBatch(step);
      // More than two micro-batches take no more memory than two.
      const batches = shape.gradientAccumulationSteps > 1 ? [batch, batch] : [batch];
      const { objective, gradientCheckpointing } = shape;
      const training = { objective, model, adapter };
      const { losses, tokenLosses, gradients } = computeGradients(
        training,
        batches,
        createRng(0),
        gradientCheckpointing,
      );
      const { norm, clipped } = clipByGlobalNorm(gradients, 0.5);
      optimizer.update(clipped, 1e-3);
      tf.dispose([...losses, tokenLosses, norm, ...gradients.values(), ...clipped.values()]);
      const optimizerBytes = 8 * adapter.numParameters;
      const times = shape.gradientAccumulationSteps / batches.length;
      return {
        weights,
        activations: afterForward - before - weights - optimizerBytes,
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
