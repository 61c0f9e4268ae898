// The training step as TensorFlow graphs: the functions of stepMath.ts traced once for each shape of micro-batch and then
// run by one call. Weights live in the graphs' variables; what is trained is fed and fetched, so that checkpoints,
// evaluation and the eager step see the same tensors. Lengths are rounded up to a few buckets to keep graphs few.
import * as tf from '@tensorflow/tfjs-core';
import { CompiledFunction } from '../capture/compiledFunction.js';
import { specsOf, type InputSpec } from '../capture/tracingBackend.js';
import type { Batch } from '../data/batch.js';
import type { CausalLm } from '../models/causalLm.js';
import type { Adapter } from '../peft/adapter.js';
import type { AdamW } from './adamW.js';
import { CapturedScore, shapeKey } from './capturedScore.js';
import { seededDropout } from './dropout.js';
import type { BatchScore } from './evaluate.js';
import { roundUpToBucket, type BucketSizes } from './buckets.js';
import {
  adamWUpdate,
  batchTensors,
  clipByGlobalNorm,
  lossAndGradients,
  microBatch,
  statesOf,
  type AdamWScalars,
  type MicroBatch,
} from './stepMath.js';
import { dropoutSeed, type StepResult, type StepSettings } from './trainingStep.js';

const scalar = (dtype: 'float32' | 'int32'): InputSpec => ({ shape: [], dtype });

/** Names for the tensors of a flat list, in the order of `keys`. */
function byKey(keys: readonly string[], tensors: readonly tf.Tensor[]): Map<string, tf.Tensor> {
  return new Map(keys.map((key, i) => [key, tensors[i]!]));
}

export interface CompileReport {
  graphs: number;
  nodes: number;
  compileMs: number;
}

/** Owns its graphs; model, adapter and optimizer stay the caller's. */
export class CapturedStep {
  private readonly graphs = new Map<string, CompiledFunction>();
  private readonly keys: string[];
  private readonly scoring: CapturedScore;

  constructor(
    private readonly model: CausalLm,
    private readonly adapter: Adapter,
    private readonly optimizer: AdamW,
    private readonly sizes: BucketSizes,
  ) {
    this.keys = [...adapter.variables.keys()];
    this.scoring = new CapturedScore(model, adapter, sizes);
  }

  /** Graphs made so far. */
  get report(): CompileReport {
    const all = [...this.graphs.values(), ...this.scoring.compiled];
    const sum = (of: (graph: CompiledFunction) => number) => all.reduce((total, graph) => total + of(graph), 0);
    return { graphs: all.length, nodes: sum(graph => graph.nodes), compileMs: sum(graph => graph.compileMs) };
  }

  /**
   * One update of the adapter. Where loss or gradient norm is not finite nothing is changed.
   * @throws UntraceableError on an op that can't be captured
   */
  async step(batches: readonly Batch[], settings: StepSettings): Promise<StepResult> {
    const { learningRate, maxGradNorm, gradientCheckpointing, rng } = settings;
    const micro = batches.map(batch => roundUpToBucket(microBatch(batch), this.sizes));
    const labelTokens = micro.reduce((sum, { numLabelTokens }) => sum + numLabelTokens, 0);
    const { variables } = this.adapter;
    let gradients: tf.Tensor[] | null = null;
    let loss = 0;
    for (const [i, batch] of micro.entries()) {
      const graph = await this.gradientGraph(batch, gradients !== null, gradientCheckpointing);
      const own = [...batchTensors(batch), tf.scalar(labelTokens), tf.scalar(dropoutSeed(rng, i), 'int32')];
      const [value, ...sums] = graph.run([...own, ...variables.values(), ...(gradients ?? [])]);
      loss += (await value!.data())[0]!;
      tf.dispose([...own, value!, ...(gradients ?? [])]);
      gradients = sums;
    }
    const update = await this.updateGraph(maxGradNorm);
    const moments = [...this.optimizer.tensors().values()];
    const scalars = this.optimizer.nextScalars(learningRate).map(value => tf.scalar(value));
    const [norm, ...updated] = update.run([...scalars, ...variables.values(), ...moments, ...gradients!]);
    const gradNorm = (await norm!.data())[0]!;
    if (Number.isFinite(loss) && Number.isFinite(gradNorm)) {
      this.optimizer.step++;
      const count = this.keys.length;
      this.keys.forEach((key, i) =>
        this.optimizer.assign(key, updated[i]!, updated[count + i]!, updated[2 * count + i]!),
      );
    }
    tf.dispose([...scalars, norm!, ...updated, ...gradients!]);
    return { loss, gradNorm };
  }

  score(batch: Batch): Promise<BatchScore> {
    return this.scoring.score(batch);
  }

  /** What the frozen lower layers give for a batch, [batch * seq, hidden]. */
  async frozenOutput(batch: Batch): Promise<Float32Array> {
    const micro = roundUpToBucket(microBatch(batch), this.sizes);
    const { model, adapter } = this;
    const tensors = batchTensors(micro);
    const graph = await this.compiled(`states ${shapeKey(micro)}`, specsOf(tensors), inputs => [
      statesOf(model, adapter.forwardOptions, inputs),
    ]);
    const [states] = graph.run(tensors);
    const values = await states!.data<'float32'>();
    tf.dispose([...tensors, states!]);
    const width = values.length / (micro.batchSize * micro.sequenceLength);
    const rows = batch.sequenceLength * width;
    const kept = new Float32Array(batch.batchSize * rows);
    for (let b = 0; b < batch.batchSize; b++) {
      const start = b * micro.sequenceLength * width;
      kept.set(values.subarray(start, start + rows), b * rows);
    }
    return kept;
  }

  dispose(): void {
    for (const graph of this.graphs.values()) graph.dispose();
    this.graphs.clear();
    this.scoring.dispose();
  }

  /** Loss and gradients of a micro-batch, added to `sums` where there are some. */
  private gradientGraph(batch: MicroBatch, adds: boolean, gradientCheckpointing?: boolean): Promise<CompiledFunction> {
    const { keys, model, adapter } = this;
    const tensors = batchTensors(batch);
    const count = tensors.length;
    const parameters = [...adapter.variables.values()];
    const specs = [...specsOf(tensors), scalar('float32'), scalar('int32'), ...specsOf(parameters)];
    tf.dispose(tensors);
    if (adds) specs.push(...specsOf(parameters));
    return this.compiled(`gradients ${shapeKey(batch)} ${adds}`, specs, inputs => {
      const [labelTokens, seed] = inputs.slice(count, count + 2) as [tf.Scalar, tf.Scalar];
      const rest = inputs.slice(count + 2);
      const own = byKey(keys, rest);
      const sums = adds ? rest.slice(keys.length) : null;
      const options = { labelTokens, dropout: seededDropout(seed), gradientCheckpointing };
      const { loss, gradients } = lossAndGradients(model, adapter, own, inputs.slice(0, count), options);
      const added = keys.map((key, i) => {
        const gradient = gradients.get(key) ?? tf.zerosLike(own.get(key)!);
        return sums ? tf.add(sums[i]!, gradient) : gradient;
      });
      return [loss, ...added];
    });
  }

  private updateGraph(maxGradNorm: number): Promise<CompiledFunction> {
    const { keys, adapter, optimizer } = this;
    const parameters = specsOf(adapter.variables.values());
    const specs = [scalar('float32'), scalar('float32'), scalar('float32'), ...parameters];
    for (const moment of optimizer.tensors().values()) specs.push(...specsOf([moment]));
    specs.push(...parameters);
    const { config } = optimizer;
    return this.compiled('update', specs, ([stepSize, correction, decay, ...inputs]) => {
      const scalars = { stepSize, correction, decay } as AdamWScalars;
      const count = keys.length;
      const gradients = byKey(keys, inputs.slice(3 * count));
      const { norm, clipped } = clipByGlobalNorm(gradients, maxGradNorm);
      const updates = keys.map((key, i) => {
        const [first, second] = [inputs[count + 2 * i]!, inputs[count + 2 * i + 1]!];
        return adamWUpdate({ parameter: inputs[i]!, gradient: clipped.get(key)!, first, second }, scalars, config);
      });
      return [
        norm,
        ...updates.map(update => update.parameter),
        ...updates.map(update => update.first),
        ...updates.map(update => update.second),
      ];
    });
  }

  private async compiled(
    key: string,
    specs: readonly InputSpec[],
    f: (inputs: tf.Tensor[]) => tf.Tensor[],
  ): Promise<CompiledFunction> {
    const known = this.graphs.get(key);
    if (known) return known;
    const graph = await CompiledFunction.compile(specs, (...inputs) => f(inputs));
    this.graphs.set(key, graph);
    return graph;
  }
}
