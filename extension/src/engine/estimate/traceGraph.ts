// The costs of a captured training step: traces the functions of stepMath.ts like capturedStep.ts, with weights that
// are only described. Bytes come from liveness.ts, FLOPs from the shapes of the matrix products. Called by
// estimateRun.ts; needs no TensorFlow library.
import * as tf from '@tensorflow/tfjs-core';
import { traceTree } from '../capture/compiledTree.js';
import { DataType, nodeOf, type GraphNode } from '../capture/graph.js';
import { fillsMemory, productFlops, rowOf } from '../capture/opTable.js';
import type { InputSpec, TracedFunction } from '../capture/tracingBackend.js';
import { createRng } from '../data/rng.js';
import { sizeOf } from '../models/architecture.js';
import { rotaryTableBytes } from '../models/rotaryTables.js';
import { Adapter } from '../peft/adapter.js';
import { trainedOf, type TensorSpec } from '../peft/method.js';
import { bucketOf } from '../training/buckets.js';
import { seededDropout } from '../training/dropout.js';
import { batchSpecs, type BatchTensors } from '../training/microBatch.js';
import { clippedUpdate, lossAndGradients, type Tensors, type UpdateInputs } from '../training/stepMath.js';
import { DescribedModel, describedTensors } from './describedBase.js';
import { fewLayers } from './fewLayers.js';
import { bytesOf, highest, liveness, nodesThatRun } from './liveness.js';
import { baseOf, fullBatch, type EstimatedStep, type StepTrace } from './estimatedStep.js';

const float32 = ({ shape }: { shape: readonly number[] }): InputSpec => ({ shape, dtype: 'float32' });
const floatBytes = (specs: readonly { shape: readonly number[] }[]) =>
  4 * specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);

/** AdamW needs the same memory with any settings. */
const ADAMW = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

/** The figures of a step. Equal layers each add the same amount to every figure. */
interface GraphFigures {
  weights: number;
  activations: number;
  /** Bytes of the trainable tensors. */
  trained: number;
  nodes: number;
  /** Per micro-batch, like `written`. */
  flops: number;
  written: number;
  /** Peak bytes of a micro-batch up to the middle of its backward pass, and after it. */
  upperPeak: number;
  lowerPeak: number;
  updatePeak: number;
}

/** One trace: its figures, and the bytes in use while each node of a micro-batch runs. */
interface GraphCosts {
  figures: Omit<GraphFigures, 'upperPeak' | 'lowerPeak'>;
  during: readonly number[];
  /** Number of nodes after the loss. */
  backward: number;
}

/**
 * The costs of a step. If a model's many layers are equal, or repeat a pattern, only a few are traced.
 * @throws InputError if the method's config doesn't fit the architecture
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
 * Separate peaks of the nodes up to `half` nodes after the loss, and of the last `half` nodes: the overall peak grows
 * evenly with depth only as long as it stays in one of the two. With each layer, the first grows by what a layer keeps
 * for the backward pass, the second by a layer's gradients. In between, a deeper model never needs more than the higher
 * of the two.
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
  const plan = trainedOf(step.attached.plan('training'));
  const { traced, hidden, weights } = traceGradients(step);
  const running = nodesThatRun(traced);
  const { after, during } = liveness(running, traced.tensors);
  const update = traceUpdate(plan);
  const loss = nodeOf(running.outputs[0]!);
  return {
    figures: {
      weights,
      activations: after.get(hidden)!,
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

/**
 * Traces loss and gradients of a micro-batch. `hidden` is the node of the hidden states, `weights` bytes of model and
 * adapter.
 */
function traceGradients(step: EstimatedStep): { traced: TracedFunction; hidden: string; weights: number } {
  const { attached, shape } = step;
  const { architecture } = attached;
  const base = baseOf(step);
  const held = describedTensors(base);
  const plan = trainedOf(attached.plan('training'));
  const { objective } = shape;
  const batch = batchSpecs(objective, bucketOf(objective.sizes(fullBatch(step)), shape));
  const parameters = new Map(plan.map(spec => [spec.key, float32(spec)]));
  // A trace reads no values of rotary tables, and filling those of a long context would take longer than the trace.
  const tablePositions = 1;
  let heldBytes = 0;
  let states: tf.Tensor | null = null;
  type Inputs = { base: Tensors; parameters: Tensors; batch: BatchTensors };
  const inputs = { base: new Map(held.map((spec, i) => [String(i), spec])), parameters, batch };
  const traced = traceTree<Inputs>(inputs, ({ base: tensors, parameters, batch }) => {
    const ofBase = [...tensors.values()];
    const model = new DescribedModel(base, ofBase, hidden => (states = tf.keep(hidden)), { tablePositions });
    // These values are never read: trainable tensors are inputs of the graph.
    const values = ({ shape }: { shape: readonly number[] }) => new Float32Array(sizeOf(shape));
    const adapter = Adapter.attach(attached, model, { purpose: 'training', rng: createRng(0), values });
    adapter.takeOver();
    heldBytes = floatBytes(ofBase.filter(({ isDisposed }) => !isDisposed));
    const { loss, gradients } = lossAndGradients({ objective, model, adapter }, parameters, batch, {
      totalWeight: tf.scalar(1),
      dropout: seededDropout(0),
      gradientCheckpointing: shape.gradientCheckpointing,
    });
    adapter.dispose();
    model.dispose();
    return { states: states!, loss, gradients };
  });
  tf.dispose(states!);
  const [hidden, ...outputs] = traced.outputs;
  // Constants of the graph: the method's frozen tensors, one row of each rotary table, and what tfjs fills for the
  // gradient of relu.
  const vectors = traced.graph.nodes
    .filter(({ op }) => op === 'Const')
    .map(({ name }) => traced.tensors.get(`${name}:0`)!)
    .filter(({ dtype, shape }) => dtype === DataType.float32 && shape.length > 0);
  const otherRows = rotaryTableBytes(architecture) - rotaryTableBytes(architecture, tablePositions);
  const weights = heldBytes + floatBytes(plan) + floatBytes(vectors) + otherRows;
  return { traced: { ...traced, outputs }, hidden: nodeOf(hidden!), weights };
}

/** Traces clipping and AdamW: trainable tensors and their moments are fed and fetched, gradients are fed. */
function traceUpdate(plan: readonly TensorSpec[]): TracedFunction {
  const gradients = new Map(plan.map(spec => [spec.key, float32(spec)]));
  const state = new Map([...gradients].map(([key, own]) => [key, { parameter: own, exp_avg: own, exp_avg_sq: own }]));
  return traceTree<Omit<UpdateInputs, 'scalars'>>({ gradients, state }, ({ gradients, state }) => {
    const one = tf.scalar(1);
    return clippedUpdate({ gradients, state, scalars: { stepSize: one, correction: one, decay: one } }, 1, ADAMW);
  });
}

function sum(nodes: readonly GraphNode[], of: (node: GraphNode) => number): number {
  return nodes.reduce((total, node) => total + of(node), 0);
}

/** Bytes that a node writes; 0 for matrix products. */
function writtenBytes(node: GraphNode, { tensors }: TracedFunction): number {
  if (rowOf(node.op).product || !fillsMemory(node)) return 0;
  const tensor = tensors.get(`${node.name}:0`);
  return tensor ? bytesOf(tensor) : 0;
}

/** FLOPs of a matrix product; 0 for other nodes. */
function flopsOf({ name, op, inputs, attributes }: GraphNode, { tensors }: TracedFunction): number {
  const { product } = rowOf(op);
  return product ? productFlops(product, attributes, tensors.get(inputs[0]!)!, tensors.get(`${name}:0`)!) : 0;
}
