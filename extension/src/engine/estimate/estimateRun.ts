// What a run will take before it starts: trained parameters and memory by part, from the architecture and the method's
// plan alone. Called by `estimate`, by train (its `started` event) and by compareMethods. Never reads a weight.
import type { MemoryParts } from '../../protocol/engineEvent.js';
import { countParameters, sizeOf } from '../models/architecture.js';
import { trainedOf, type PeftMethod, type TrainableSpec } from '../peft/method.js';
import { UntraceableError } from '../capture/opTable.js';
import { weightBytes, type DescribedBase } from './describedBase.js';
import { baseOf, type EstimatedStep, type StepTrace } from './estimatedStep.js';
import { traceGraph } from './traceGraph.js';
import { traceEager } from './traceEager.js';

export interface EstimateInput extends EstimatedStep {
  /** Whether the step runs as a graph; eagerly it keeps far more. */
  captured: boolean;
  /** Graphs that the lengths of the run's rows ask for, where it is captured. */
  graphs: number;
}

export interface Estimate {
  trainableParameters: number;
  /** As PEFT's print_trainable_parameters counts: base and added ones; what is trained in place counts once. */
  totalParameters: number;
  /** trainable / total */
  share: number;
  /** Bytes at the peak of a step, beside PROGRAM_BYTES. */
  memory: MemoryParts;
  /** Bytes that answering takes with one sequence of the same length. */
  inferenceBytes: number;
  /** memory.total / inferenceBytes */
  ratioToInference: number;
  /** Floating point operations of a step's matrix products. */
  flopsPerStep: number;
  /** Bytes that a step's other operations write. */
  bytesPerStep: number;
}

const FLOAT_BYTES = 4;
/** AdamW's two moments. */
const MOMENT_BYTES = 2 * FLOAT_BYTES;

/**
 * What TensorFlow's allocator holds beyond the tensors themselves: it splits blocks rather than moving them. With these
 * figures the total and PROGRAM_BYTES are within 6% of the peak resident memory (VmHWM) of seven captured runs and three
 * eager ones on TensorFlow 2.21: LORA, SELECTIVE and FULL, 1.8M to 135M parameters, 0.65 to 6.2 GB. `npm run bench`
 * measures it anew.
 */
const ALLOCATOR_SHARE = 0.1;
/** The same for parameters that an eager step trains. */
const ALLOCATOR_BYTES_PER_TRAINABLE = 6;
/** A node of a captured graph, in the graph's several forms. */
const NODE_BYTES = 15_000;
/**
 * A node of each further graph of the same run, which stays until the run ends. Resident memory between the steps of runs of
 * five graphs, SmolLM2-135M's shape: 9.2 KB on float32, 8.7 on int8, 7.4 on int4.
 */
const FURTHER_NODE_BYTES = 8_700;

/** @throws InputError where the method's config doesn't fit the architecture */
export function estimateRun(input: EstimateInput): Estimate {
  const { attached, captured, graphs } = input;
  // As PEFT counts: what is frozen beside the base takes memory, but is no parameter.
  const trained = trainedOf(attached.plan('training'));
  const trainableParameters = countSpecs(trained);
  const added = countSpecs(trained.filter(spec => !trainsInPlace(spec, attached.method)));
  const totalParameters = countParameters(attached.architecture) + added;

  const trace = traceOf(input, captured);
  const { weights, activations, peak, nodes } = trace;
  const gradients = FLOAT_BYTES * trainableParameters;
  const optimizer = MOMENT_BYTES * trainableParameters;
  const ofGraphs = (NODE_BYTES + FURTHER_NODE_BYTES * (graphs - 1)) * nodes;
  const beside = nodes > 0 ? ofGraphs : ALLOCATOR_BYTES_PER_TRAINABLE * trainableParameters;
  const allocator = ALLOCATOR_SHARE * (peak - weights) + beside;
  const temporary = Math.max(0, peak - weights - gradients - optimizer - activations) + allocator;
  const memory = {
    weights,
    gradients,
    optimizer,
    activations,
    temporary,
    total: weights + gradients + optimizer + activations + temporary,
  };
  const inference = inferenceBytes(baseOf(input), input.sequenceLength);
  return {
    trainableParameters,
    totalParameters,
    share: trainableParameters / totalParameters,
    memory,
    inferenceBytes: inference,
    ratioToInference: memory.total / inference,
    flopsPerStep: trace.flops,
    bytesPerStep: trace.written,
  };
}

/** Tokens of the largest batch that is traced; what a larger one takes follows in proportion. */
const TRACED_TOKENS = 32768;

function traceOf(step: EstimatedStep, captured: boolean): StepTrace {
  const { shape, sequenceLength } = step;
  const batchSize = Math.min(shape.batchSize, Math.max(1, Math.floor(TRACED_TOKENS / sequenceLength)));
  if (batchSize < shape.batchSize) {
    const trace = traceOf({ ...step, shape: { ...shape, batchSize } }, captured);
    const times = shape.batchSize / batchSize;
    const ofBatch = trace.peak - trace.weights;
    return {
      ...trace,
      activations: trace.activations * times,
      peak: trace.weights + ofBatch * times,
      flops: trace.flops * times,
      written: trace.written * times,
    };
  }
  if (captured)
    try {
      return traceGraph(step);
    } catch (error) {
      // Such a step runs eagerly.
      if (!(error instanceof UntraceableError)) throw error;
    }
  return traceEager(step);
}

function countSpecs(specs: readonly TrainableSpec[]): number {
  return specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

/** Whether it is a base parameter itself: SELECTIVE, FULL and `bias`, but not the copies of `modules_to_save`. */
function trainsInPlace({ key, replaces }: TrainableSpec, { storage }: PeftMethod): boolean {
  return replaces !== undefined && (storage !== 'adapter' || key.endsWith('.bias'));
}

/** Weights, the key/value cache of one sequence and the activations of the widest layer. */
export function inferenceBytes({ architecture, layouts }: DescribedBase, sequenceLength: number): number {
  const { layers, hiddenSize, vocabSize } = architecture;
  const sizes = layers.map(({ attention: { heads, keyValueHeads, headDim }, mlp }) => {
    // residual and its norm, q, k, v and output, the two wide feed-forward tensors, scores and probabilities
    const perToken = 3 * hiddenSize + 2 * (heads + keyValueHeads) * headDim + 2 * mlp.width;
    return {
      cache: 2 * keyValueHeads * headDim * sequenceLength,
      activations: sequenceLength * (perToken + 2 * heads * sequenceLength),
    };
  });
  const cache = sizes.reduce((sum, layer) => sum + layer.cache, 0);
  const widest = Math.max(...sizes.map(({ activations }) => activations));
  return weightBytes({ architecture, layouts }) + FLOAT_BYTES * (cache + widest + vocabSize);
}
