// What a captured training step costs: the functions of stepMath.ts traced as capturedStep.ts traces them, with weights that
// are only described. Bytes come from liveness, FLOPs from the shapes of the matrix products. Called by estimateRun.ts;
// needs no TensorFlow library.
import * as tf from '@tensorflow/tfjs-core';
import { DataType, nodeOf, type GraphNode } from '../capture/graph.js';
import { fillsMemory, productFlops, rowOf } from '../capture/opTable.js';
import { trace, type InputSpec, type TracedFunction } from '../capture/tracingBackend.js';
import { createRng } from '../data/rng.js';
import { sizeOf } from '../models/architecture.js';
import { rotaryTableBytes } from '../models/rotaryTables.js';
import { Adapter } from '../peft/adapter.js';
import { roundUpToBucket } from '../training/buckets.js';
import { seededDropout } from '../training/dropout.js';
import {
  adamWUpdate,
  clipByGlobalNorm,
  lossAndGradients,
  microBatch,
  type AdamWScalars,
  type MicroBatch,
} from '../training/stepMath.js';
import { DescribedModel, describedTensors } from './describedBase.js';
import { fewLayers } from './fewLayers.js';
import { bytesOf, highest, liveness, nodesThatRun } from './liveness.js';
import { baseOf, fullBatch, type EstimatedStep, type StepTrace } from './estimatedStep.js';

const float32 = ({ shape }: { shape: readonly number[] }): InputSpec => ({ shape, dtype: 'float32' });
const floatBytes = (specs: readonly { shape: readonly number[] }[]) =>
  4 * specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);

/** Whatever AdamW is set to, it takes the same memory. */
const ADAMW = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

/** What a step takes. Where layers are alike, each adds the same to every figure. */
interface GraphFigures {
  weights: number;
  activations: number;
  /** Bytes of what is trained. */
  trained: number;
  nodes: number;
  /** Of one micro-batch. */
  flops: number;
  written: number;
  /** Most bytes of a micro-batch up to the middle of its backward pass, and behind it. */
  upperPeak: number;
  lowerPeak: number;
  updatePeak: number;
}

/** One trace: figures, and bytes while each node of a micro-batch runs. */
interface GraphCosts {
  figures: Omit<GraphFigures, 'upperPeak' | 'lowerPeak'>;
  during: readonly number[];
  /** How many of the nodes come behind the loss. */
  backward: number;
}

/**
 * Of a model with many layers that are alike, or repeat a pattern, few are traced.
 * @throws InputError where the method's config doesn't fit the architecture
 */
export function traceGraph(step: EstimatedStep): StepTrace {
  const few = fewLayers(step);
  if (!few) return traceWholeGraph(step);
  const [costs, onePeriodMore] = few.steps.map(graphCosts) as [GraphCosts, GraphCosts];
  const half = halfOf(costs);
  return stepTrace(few.continued(withPeaks(costs, half), withPeaks(onePeriodMore, half)), step);
}

/** The same with every layer traced. */
export function traceWholeGraph(step: EstimatedStep): StepTrace {
  const costs = graphCosts(step);
  return stepTrace(withPeaks(costs, halfOf(costs)), step);
}

function halfOf({ backward }: GraphCosts): number {
  return Math.ceil(backward / 2);
}

/**
 * Peaks of the nodes up to `half` of them behind the loss, and of the last `half`: the peak of both together grows evenly
 * only as long as it stays in one of them. With each layer the first grows by what a layer keeps for the backward pass, the
 * second by a layer's gradients. What a deeper model has between, one giving way to the other, never takes more than both.
 */
function withPeaks({ figures, during, backward }: GraphCosts, half: number): GraphFigures {
  const loss = during.length - backward;
  return { ...figures, upperPeak: highest(during.slice(0, loss + half)), lowerPeak: highest(during.slice(-half)) };
}

function stepTrace(figures: GraphFigures, { shape }: EstimatedStep): StepTrace {
  const times = shape.gradientAccumulationSteps;
  const { weights, activations, trained, nodes, flops, written, upperPeak, lowerPeak, updatePeak } = figures;
  const sums = times > 1 ? trained : 0;
  return {
    weights,
    activations,
    peak: weights + 2 * trained + Math.max(sums + upperPeak, sums + lowerPeak, trained + updatePeak),
    nodes,
    flops: times * flops,
    written: times * written + 6 * trained,
  };
}

function graphCosts(step: EstimatedStep): GraphCosts {
  const plan = step.attached.plan('training');
  const { traced, hidden, weights } = traceGradients(step);
  const running = nodesThatRun(traced);
  const { standing, during } = liveness(running, traced.tensors);
  const update = traceUpdate(plan.map(float32));
  const loss = nodeOf(running.outputs[0]!);
  return {
    figures: {
      weights,
      activations: standing.get(hidden)!,
      trained: floatBytes(plan),
      nodes: traced.graph.nodes.length,
      flops: sum(running.nodes, node => flopsOf(node, traced)),
      written: sum(running.nodes, node => writtenBytes(node, traced)),
      updatePeak: liveness(nodesThatRun(update), update.tensors).peak,
    },
    during,
    backward: running.nodes.length - 1 - running.nodes.findIndex(({ name }) => name === loss),
  };
}

/** Loss and gradients of a micro-batch; the node that gives the hidden states; bytes that model and adapter hold. */
function traceGradients(step: EstimatedStep): { traced: TracedFunction; hidden: string; weights: number } {
  const { attached, shape } = step;
  const { architecture } = attached;
  const base = baseOf(step);
  const held = describedTensors(base);
  const plan = attached.plan('training');
  const micro = roundUpToBucket(microBatch(fullBatch(step)), shape);
  // A trace reads no rotary table; those of a long context take longer to make than the trace.
  const tablePositions = 1;
  let heldBytes = 0;
  let states: tf.Tensor | null = null;
  const traced = trace([...held, ...plan.map(float32), ...batchSpecs(micro)], (...inputs) => {
    const ofBase = inputs.slice(0, held.length);
    const model = new DescribedModel(base, ofBase, hidden => (states = tf.keep(hidden)), { tablePositions });
    // Values that are never read: what is trained is an input of the graph.
    const values = ({ shape }: { shape: readonly number[] }) => new Float32Array(sizeOf(shape));
    const adapter = Adapter.attach(attached, model, { purpose: 'training', rng: createRng(0), values });
    adapter.takeOver();
    heldBytes = floatBytes(ofBase.filter(({ isDisposed }) => !isDisposed));
    const own = new Map(plan.map(({ key }, i) => [key, inputs[held.length + i]!]));
    const tensors = inputs.slice(held.length + plan.length);
    const { loss, gradients } = lossAndGradients(model, adapter, own, tensors, {
      labelTokens: tf.scalar(1),
      dropout: seededDropout(0),
      gradientCheckpointing: shape.gradientCheckpointing,
    });
    adapter.dispose();
    model.dispose();
    return [states!, loss, ...gradients.values()];
  });
  tf.dispose(states!);
  const [hidden, ...outputs] = traced.outputs;
  // What the graph holds as numbers: the tables, of which one row was made, and what tfjs fills for the gradient of relu.
  const vectors = traced.graph.nodes
    .filter(({ op }) => op === 'Const')
    .map(({ name }) => traced.tensors.get(`${name}:0`)!)
    .filter(({ dtype, shape }) => dtype === DataType.float32 && shape.length > 0);
  const otherRows = rotaryTableBytes(architecture) - rotaryTableBytes(architecture, tablePositions);
  const weights = heldBytes + floatBytes(plan) + floatBytes(vectors) + otherRows;
  return { traced: { ...traced, outputs }, hidden: nodeOf(hidden!), weights };
}

/** Shapes of the tensors of `batchTensors`. */
function batchSpecs({ batchSize, sequenceLength, rows }: MicroBatch): InputSpec[] {
  const grid: InputSpec = { shape: [batchSize, sequenceLength], dtype: 'int32' };
  const column: InputSpec = { shape: [rows.length], dtype: 'int32' };
  return [grid, grid, grid, column, column, { ...column, dtype: 'float32' }];
}

/** Clipping and AdamW: parameters, gradients and two moments are fed, all but the gradients fetched. */
function traceUpdate(parameters: readonly InputSpec[]): TracedFunction {
  const count = parameters.length;
  return trace([...parameters, ...parameters, ...parameters, ...parameters], (...inputs) => {
    const part = (i: number) => inputs.slice(i * count, (i + 1) * count);
    const [own, first, second] = [part(0), part(1), part(2)];
    const { norm, clipped } = clipByGlobalNorm(new Map(part(3).map((gradient, i) => [String(i), gradient])), 1);
    const one = tf.scalar(1);
    const scalars: AdamWScalars = { stepSize: one, correction: one, decay: one };
    const updates = own.map((parameter, i) => {
      const tensors = { parameter, gradient: clipped.get(String(i))!, first: first[i]!, second: second[i]! };
      return adamWUpdate(tensors, scalars, ADAMW);
    });
    return [norm, ...updates.flatMap(({ parameter, first, second }) => [parameter, first, second])];
  });
}

function sum(nodes: readonly GraphNode[], of: (node: GraphNode) => number): number {
  return nodes.reduce((total, node) => total + of(node), 0);
}

/** What a node that isn't a matrix product fills. */
function writtenBytes(node: GraphNode, { tensors }: TracedFunction): number {
  if (rowOf(node.op).product || !fillsMemory(node)) return 0;
  const tensor = tensors.get(`${node.name}:0`);
  return tensor ? bytesOf(tensor) : 0;
}

/** Those of a matrix product; 0 of other nodes. */
function flopsOf({ name, op, inputs, attributes }: GraphNode, { tensors }: TracedFunction): number {
  const { product } = rowOf(op);
  return product ? productFlops(product, attributes, tensors.get(inputs[0]!)!, tensors.get(`${name}:0`)!) : 0;
}
