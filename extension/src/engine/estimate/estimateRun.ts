// What a run will take before it starts: trained parameters and memory by part, from the architecture and the method's
// plan alone. Called by `estimate`, by train (its `started` event) and by compareMethods. Never reads a weight.
import type { MemoryParts } from '../../protocol/engineEvent.js';
import { countParameters, sizeOf, type Architecture } from '../models/architecture.js';
import type { PeftMethod, TrainableSpec } from '../peft/method.js';
import { traceStep, type StepShape } from './traceStep.js';

export interface EstimateInput extends StepShape {
  architecture: Architecture;
  method: PeftMethod;
  methodConfig: unknown;
}

export interface Estimate {
  trainableParameters: number;
  /** As PEFT's print_trainable_parameters counts: base and added ones; what is trained in place counts once. */
  totalParameters: number;
  /** trainable / total */
  share: number;
  /** Bytes at the peak of a step, beside what the program itself and TensorFlow take. */
  memory: MemoryParts;
  /** Bytes that answering takes with one sequence of the same length. */
  inferenceBytes: number;
  /** memory.total / inferenceBytes */
  ratioToInference: number;
}

const FLOAT_BYTES = 4;
/** AdamW's two moments. */
const MOMENT_BYTES = 2 * FLOAT_BYTES;

/**
 * What TensorFlow's allocator holds beyond the tensors themselves: it splits blocks rather than moving them. Measured
 * with TensorFlow 2.21 over eleven eager runs (LORA, PREFIX_TUNING, BOTTLENECK_ADAPTER, SELECTIVE, FULL; 4M to 135M
 * parameters): with these two figures the total is within 10% of the peak resident memory of each.
 */
const ALLOCATOR_SHARE = 0.1;
const ALLOCATOR_BYTES_PER_TRAINABLE = 12;

/** @throws InputError where the method's config doesn't fit the architecture */
export function estimateRun({ architecture, method, methodConfig, ...shape }: EstimateInput): Estimate {
  const plan = method.plan(methodConfig, architecture, 'training');
  const trainableParameters = countSpecs(plan);
  const added = countSpecs(plan.filter(spec => !trainsInPlace(spec, method)));
  const totalParameters = countParameters(architecture) + added;

  const { weights, activations, peak } = traceStep(architecture, method, methodConfig, shape);
  const gradients = FLOAT_BYTES * trainableParameters;
  const optimizer = MOMENT_BYTES * trainableParameters;
  const allocator = ALLOCATOR_SHARE * (peak - weights) + ALLOCATOR_BYTES_PER_TRAINABLE * trainableParameters;
  const temporary = Math.max(0, peak - weights - gradients - optimizer - activations) + allocator;
  const memory = {
    weights,
    gradients,
    optimizer,
    activations,
    temporary,
    total: weights + gradients + optimizer + activations + temporary,
  };
  const inference = inferenceBytes(architecture, shape.sequenceLength);
  return {
    trainableParameters,
    totalParameters,
    share: trainableParameters / totalParameters,
    memory,
    inferenceBytes: inference,
    ratioToInference: memory.total / inference,
  };
}

function countSpecs(specs: readonly TrainableSpec[]): number {
  return specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

/** Whether it is a base parameter itself: SELECTIVE, FULL and `bias`, but not the copies of `modules_to_save`. */
function trainsInPlace({ key, replaces }: TrainableSpec, { storage }: PeftMethod): boolean {
  return replaces !== undefined && (storage !== 'adapter' || key.endsWith('.bias'));
}

/** Weights, the key/value cache of one sequence and the activations of the widest layer. */
export function inferenceBytes(architecture: Architecture, sequenceLength: number): number {
  const { numLayers, numHeads, numKeyValueHeads, headDim, hiddenSize, intermediateSize, vocabSize } = architecture;
  const cache = 2 * numLayers * numKeyValueHeads * headDim * sequenceLength;
  // residual and its norm, q, k, v and output, the two wide feed-forward tensors, scores and probabilities
  const perToken = 3 * hiddenSize + 2 * (numHeads + numKeyValueHeads) * headDim + 2 * intermediateSize;
  const layer = sequenceLength * (perToken + 2 * numHeads * sequenceLength);
  return FLOAT_BYTES * (countParameters(architecture) + cache + layer + vocabSize);
}
