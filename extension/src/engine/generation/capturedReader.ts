// Reads one token with one call of a TensorFlow graph. The key/value cache has a fixed size in a graph, so there is a
// graph for each size; the cache is fed and fetched like the tensors of a training step, so a graph holds no state.
import * as tf from '@tensorflow/tfjs-core';
import { CompiledFunction } from '../capture/compiledFunction.js';
import type { InputSpec } from '../capture/tracingBackend.js';
import type { CausalLm, KeyValueCache } from '../models/causalLm.js';
import { usablePositions } from '../models/rotaryTables.js';
import type { Adapter } from '../peft/adapter.js';
import { cacheShape, grown, StepCache, withCapacity } from './cacheTensor.js';
import { predict, type Prediction } from './tokenReader.js';

/** Tokens in the smallest cache; each larger one is twice as large. */
const SMALLEST_CAPACITY = 256;

function capacityFor(tokens: number): number {
  return SMALLEST_CAPACITY * 2 ** Math.max(0, Math.ceil(Math.log2(tokens / SMALLEST_CAPACITY)));
}

/** The graphs of a model with an adapter, by the cache's size. Owns them; model and adapter belong to the caller. */
export class DecodingGraphs {
  private readonly graphs = new Map<number, CompiledFunction>();

  constructor(
    readonly model: CausalLm,
    private readonly adapter: Adapter | null,
    /** Compile the layers with XLA, if TensorFlow has it. */
    private readonly xla = true,
  ) {}

  get count(): number {
    return this.graphs.size;
  }

  /** Fed in addition to the token: the adapter's tensors, which training changes. */
  get parameters(): tf.Tensor[] {
    return this.adapter ? [...this.adapter.variables.values()] : [];
  }

  /** @throws UntraceableError on an op that can't be captured */
  async ofCapacity(capacity: number): Promise<CompiledFunction> {
    const known = this.graphs.get(capacity);
    if (known) return known;
    const { model, adapter } = this;
    const { architecture } = model;
    const token: InputSpec = { shape: [1, 1], dtype: 'int32' };
    const floats = (shape: readonly number[]): InputSpec => ({ shape, dtype: 'float32' });
    const specs = [token, token, floats(cacheShape(architecture, capacity))];
    for (const { shape } of this.parameters) specs.push(floats(shape));
    const step = (id: tf.Tensor, position: tf.Tensor, content: tf.Tensor, ...parameters: tf.Tensor[]): tf.Tensor[] => {
      const keys = adapter ? [...adapter.variables.keys()] : [];
      const { hooks, replaced } = adapter?.forwardWith(new Map(keys.map((key, i) => [key, parameters[i]!]))) ?? {};
      const row = tf.add(position, tf.scalar(hooks?.keyValuePrefix?.count ?? 0, 'int32'));
      const cache = new StepCache(architecture, capacity, content as tf.Tensor2D, tf.reshape(row, [1]));
      // Virtual tokens are never generated.
      const forward = { hooks: { ...hooks, virtualTokens: undefined }, replaced, cache };
      const { likeliest, logits } = predict(model, id as tf.Tensor2D, position as tf.Tensor2D, forward);
      return [likeliest, logits, cache.content];
    };
    const graph = await CompiledFunction.compile(specs, step as (...inputs: tf.Tensor[]) => tf.Tensor[], this.xla);
    this.graphs.set(capacity, graph);
    return graph;
  }

  dispose(): void {
    for (const graph of this.graphs.values()) graph.dispose();
    this.graphs.clear();
  }
}

/** Reads the tokens that follow those of an eager reader. */
export class CapturedReader {
  private content: tf.Tensor2D;

  private constructor(
    private readonly graphs: DecodingGraphs,
    private graph: CompiledFunction,
    private capacity: number,
    cache: KeyValueCache,
    /** Keys before the sequence. */
    private readonly prefix: number,
    private position: number,
  ) {
    this.content = withCapacity(cache, capacity);
  }

  /**
   * @param tokens read so far, and at most to come
   * @throws UntraceableError on an op that can't be captured
   */
  static async following(
    graphs: DecodingGraphs,
    cache: KeyValueCache,
    { read, toCome }: { read: number; toCome: number },
  ): Promise<CapturedReader> {
    const capacity = capacityFor(cache.length + Math.min(toCome, SMALLEST_CAPACITY));
    const graph = await graphs.ofCapacity(capacity);
    return new CapturedReader(graphs, graph, capacity, cache, cache.length - read, read);
  }

  /** @throws Error beyond the last usable position: XLA's code would silently read past the tables */
  async read(token: number): Promise<Prediction> {
    const positions = usablePositions(this.graphs.model.architecture);
    if (this.prefix + this.position >= positions) throw new Error(`the model reads at most ${positions} tokens`);
    if (this.prefix + this.position >= this.capacity) await this.grow();
    const int = (value: number) => tf.tensor2d([value], [1, 1], 'int32');
    const own = [int(token), int(this.position), this.content];
    const [likeliest, logits, content] = this.graph.run([...own, ...this.graphs.parameters]);
    tf.dispose(own);
    this.content = content as tf.Tensor2D;
    this.position++;
    return { likeliest: likeliest!, logits: logits! };
  }

  private async grow(): Promise<void> {
    const larger = 2 * this.capacity;
    this.graph = await this.graphs.ofCapacity(larger);
    const old = this.content;
    this.content = grown(old, this.capacity, larger);
    old.dispose();
    this.capacity = larger;
  }

  dispose(): void {
    this.content.dispose();
  }
}
