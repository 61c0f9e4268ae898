// The graphs of decoding steps: each reads one token of every sequence in a batch. The key/value cache has a fixed size in
// a graph, so there is a graph for each size; it is fed and fetched like the tensors of a training step, and adapters are
// fed too, so a graph holds no state and belongs to no adapter.
import * as tf from '@tensorflow/tfjs-core';
import { captureFunction, type CapturedFunction } from '../capture/captureFunction.js';
import type { InputSpec } from '../capture/tracingBackend.js';
import type { CausalLm, ForwardOptions } from '../models/causalLm.js';
import { cacheShape, StepCache, type CacheSize } from './cacheTensor.js';
import { predict } from './tokenReader.js';

/** What a step computes, beyond the model. */
export interface StepForm {
  /** Equal for equal graphs. */
  key: string;
  /** Of the tensors fed in addition to the tokens, for a batch of this many sequences. */
  inputs(rows: number): readonly InputSpec[];
  forward(fed: readonly tf.Tensor[]): ForwardOptions;
}

/** Graphs that are kept; those that XLA compiled take 70 to 120 MB each. */
const MOST_GRAPHS = 6;

/** Owns the graphs; the model belongs to the caller. */
export class StepGraphs {
  /** Last used last. */
  private readonly graphs = new Map<string, CapturedFunction>();

  constructor(
    readonly model: CausalLm,
    /** Compile the layers of steps with one sequence with XLA, if TensorFlow has it. */
    private readonly xla = true,
  ) {}

  get count(): number {
    return this.graphs.size;
  }

  /** Whether there is a graph for batches of this many sequences, of whatever capacity. */
  has(key: string, rows: number): boolean {
    return [...this.graphs.keys()].some(known => known.startsWith(`${rows}/`) && known.endsWith(`/${key}`));
  }

  /** @throws UntraceableError on an op that can't be captured */
  async of(form: StepForm, size: CacheSize): Promise<CapturedFunction> {
    const name = `${size.rows}/${size.capacity}/${form.key}`;
    const graph = this.graphs.get(name) ?? (await this.compiled(form, size));
    this.graphs.delete(name);
    this.graphs.set(name, graph);
    for (const [oldest, unused] of this.graphs) {
      if (this.graphs.size <= MOST_GRAPHS) break;
      unused.dispose();
      this.graphs.delete(oldest);
    }
    return graph;
  }

  private compiled({ inputs, forward }: StepForm, { rows, capacity }: CacheSize): Promise<CapturedFunction> {
    const { model } = this;
    const { architecture } = model;
    const token: InputSpec = { shape: [rows, 1], dtype: 'int32' };
    const cached: InputSpec = { shape: cacheShape(architecture, capacity, rows), dtype: 'float32' };
    const step = (...[ids, positions, content, ...fed]: tf.Tensor[]): tf.Tensor[] => {
      const places = tf.reshape(positions!, [rows]) as tf.Tensor1D;
      const cache = new StepCache(architecture, capacity, content as tf.Tensor2D, places);
      const options = { ...forward(fed), cache };
      const { likeliest, logits } = predict(model, ids as tf.Tensor2D, positions as tf.Tensor2D, options);
      return [likeliest, logits, cache.content];
    };
    // For one sequence, XLA's parts save the time between ops; for more, TensorFlow's own products are faster.
    return captureFunction([token, token, cached, ...inputs(rows)], step, this.xla && rows === 1);
  }

  dispose(): void {
    for (const graph of this.graphs.values()) graph.dispose();
    this.graphs.clear();
  }
}
