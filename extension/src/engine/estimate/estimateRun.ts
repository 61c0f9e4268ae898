// Estimates a run before it starts: trainable parameters, memory by part and work per step, from the architecture and
// the method's plan alone. Called by `estimate`, by train (its `started` event) and by compareMethods. Never reads
// weights.
import type { MemoryParts } from '../../protocol/engineEvent.js';
import { countParameters, keyValueBytes, sizeOf } from '../models/architecture.js';
import { trainedOf, type PeftMethod, type TensorSpec } from '../peft/method.js';
import { UntraceableError } from '../capture/opTable.js';
import { weightBytes, type DescribedBase } from './describedBase.js';
import { baseOf, type EstimatedStep, type StepTrace } from './estimatedStep.js';
import { traceGraph } from './traceGraph.js';
import { traceEager } from './traceEager.js';

export interface EstimateInput extends EstimatedStep {
  /** Whether the step runs as a graph; an eager step needs far more memory. */
  captured: boolean;
  /** Number of graphs that the lengths of the run's rows require, if the step is captured. */
  graphs: number;
}

export interface Estimate {
  trainableParameters: number;
  /** As in PEFT's print_trainable_parameters: base and added parameters; those trained in place count once. */
  totalParameters: number;
  /** trainable / total */
  share: number;
  /** Bytes at the peak of a step, in addition to PROGRAM_BYTES. */
  memory: MemoryParts;
  /** Bytes for inference on one sequence of the same length. */
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
 * Memory that TensorFlow's allocator holds in addition to the tensors, due to fragmentation. With these figures, the
 * total and PROGRAM_BYTES are within 6% of the peak resident memory (VmHWM) of seven captured and three eager runs on
 * TensorFlow 2.21: LORA, SELECTIVE and FULL, 1.8M to 135M parameters, 0.65 to 6.2 GB. `npm run bench` measures it
 * again.
 */
const ALLOCATOR_SHARE = 0.1;
/** The same per parameter that an eager step trains. */
const ALLOCATOR_BYTES_PER_TRAINABLE = 6;
/** Per node of a captured graph, which TensorFlow holds in several forms. */
const NODE_BYTES = 15_000;
/**
 * Per node of each further graph of a run; all graphs stay until the run ends. Measured as resident memory between the
 * steps of runs with five graphs, SmolLM2-135M's shape: 9.2 KB on float32, 8.7 on int8, 7.4 on int4.
 */
const FURTHER_NODE_BYTES = 8_700;

/** @throws InputError if the method's config doesn't fit the architecture */
export function estimateRun(input: EstimateInput): Estimate {
  const { attached, captured, graphs } = input;
  // As in PEFT, a method's frozen tensors take memory but don't count as parameters.
  const trained = trainedOf(attached.plan('training'));
  const trainableParameters = countSpecs(trained);
  const added = countSpecs(trained.filter(spec => !trainsInPlace(spec, attached.method)));
  const totalParameters = countParameters(attached.architecture) + added;

  const trace = traceOf(input, captured);
  const { weights, activations, peak, nodes } = trace;
  const gradients = FLOAT_BYTES * trainableParameters;
  const optimizer = MOMENT_BYTES * trainableParameters;
  const ofGraphs = (NODE_BYTES + FURTHER_NODE_BYTES * (graphs - 1)) * nodes;
  const fixed = nodes > 0 ? ofGraphs : ALLOCATOR_BYTES_PER_TRAINABLE * trainableParameters;
  const allocator = ALLOCATOR_SHARE * (peak - weights) + fixed;
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

/** Maximum tokens in a traced batch; the figures of a larger one are extrapolated in proportion. */
const MAX_TRACED_TOKENS = 32768;

function traceOf(step: EstimatedStep, captured: boolean): StepTrace {
  const { shape, sequenceLength } = step;
  const batchSize = Math.min(shape.batchSize, Math.max(1, Math.floor(MAX_TRACED_TOKENS / sequenceLength)));
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
      // The run falls back to eager steps, too.
      if (!(error instanceof UntraceableError)) throw error;
    }
  return traceEager(step);
}

function countSpecs(specs: readonly TensorSpec[]): number {
  return specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

/** Whether a base parameter itself is trained: SELECTIVE, FULL and `bias`, but not the copies of `modules_to_save`. */
function trainsInPlace({ key, replaces }: TensorSpec, { storage }: PeftMethod): boolean {
  return replaces !== undefined && (storage !== 'adapter' || key.endsWith('.bias'));
}

/** Bytes of the weights, the key/value cache of one sequence and the activations of the widest layer. */
export function inferenceBytes({ architecture, layouts }: DescribedBase, sequenceLength: number): number {
  const { layers, hiddenSize, vocabSize } = architecture;
  const activations = layers.map(({ attention: { heads, keyValueHeads, headDim }, mlp }) => {
    // Residual and its norm, q, k, v and output, the two wide feed-forward tensors, scores and probabilities.
    const perToken = 3 * hiddenSize + 2 * (heads + keyValueHeads) * headDim + 2 * mlp.width;
    return sequenceLength * (perToken + 2 * heads * sequenceLength);
  });
  const cache = keyValueBytes(architecture) * sequenceLength;
  return weightBytes({ architecture, layouts }) + cache + FLOAT_BYTES * (Math.max(...activations) + vocabSize);
}
