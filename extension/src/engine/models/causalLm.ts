// A decoder-only language model with its weights in memory: computes hidden states and logits and calls a PEFT method's
// hooks. Training, evaluation and decoding all use it, so that they can't disagree. The model owns its weight tensors
// and rotary tables; results belong to the caller's tidy.
import * as tf from '@tensorflow/tfjs-core';
import type { ForwardHooks } from './hooks.js';
import {
  storedName,
  type Architecture,
  type AttentionSpec,
  type KeyValues,
  type LinearModule,
  type ModelInput,
  type RotaryFrequencies,
} from './architecture.js';
import { embed, normalize, runBlock, type ForwardPass, type Rotation } from './block.js';
import { headProduct, type PlainHead } from './head.js';
import { attention, gatherRows, linear } from './ops.js';
import type { PartedWeight } from './partedWeight.js';
import { denseOf, type Weight } from './quantizedWeight.js';
import { TransposedWeight } from './transposedWeight.js';
import { rotaryTables, rotationsOf, usablePositions, type RotaryTables } from './rotaryTables.js';

/** Added to the scores of masked keys; e to this power is exactly 0 in float32. */
const MASKED_SCORE = -1e9;

/** If all layers' attention probabilities of a step fit, they are kept for the backward pass, else recomputed there. */
const KEPT_PROBABILITY_BYTES = 64 << 20;

/** Keys and values of earlier tokens, for decoding. */
export interface DecodingCache {
  /**
   * Number of keys before the input's own, prefix included. null: each key is stored at its token's position, and what
   * follows the input's own is undefined.
   */
  readonly length: number | null;
  /** Appends those of the input's tokens; returns all that attention reads. */
  extend(layer: number, own: KeyValues): KeyValues;
}

/** A cache that grows with each pass. The creator disposes it. */
export class KeyValueCache implements DecodingCache {
  readonly layers: KeyValues[] = [];

  get length(): number {
    return this.layers[0]?.keys.shape[2] ?? 0;
  }

  extend(layer: number, own: KeyValues): KeyValues {
    const old = this.layers[layer];
    const all = old ? appended(old, own) : own;
    this.layers[layer] = { keys: tf.keep(all.keys), values: tf.keep(all.values) };
    if (old) tf.dispose([old.keys, old.values]);
    return all;
  }

  dispose(): void {
    for (const { keys, values } of this.layers) tf.dispose([keys, values]);
    this.layers.length = 0;
  }
}

/** Keys and values [kvHeads, length, headDim], repeated for each sequence of a batch. */
function everyRow({ keys, values }: { keys: tf.Tensor3D; values: tf.Tensor3D }, batch: number): KeyValues {
  const repeated = (x: tf.Tensor3D) => tf.tile(tf.expandDims(x, 0), [batch, 1, 1, 1]) as tf.Tensor4D;
  return { keys: repeated(keys), values: repeated(values) };
}

/** One layer's keys and values, appended to those of earlier tokens. */
function appended(before: KeyValues, own: KeyValues): KeyValues {
  return { keys: tf.concat([before.keys, own.keys], 2), values: tf.concat([before.values, own.values], 2) };
}

export interface ForwardOptions {
  hooks?: ForwardHooks;
  /** Trainable tensors that replace parameters, by the parameter's name. */
  replaced?: ReadonlyMap<string, tf.Tensor>;
  /**
   * Set while training; scales the values it keeps by 1 / (1 - rate). Each `site` has its own mask, the same on every
   * call.
   */
  dropout?: (x: tf.Tensor2D, rate: number, site: number) => tf.Tensor2D;
  /** Set while decoding; the input's tokens follow those in it. */
  cache?: DecodingCache;
}

/** An open forward pass with the method's prefix. */
export interface OpenPass extends ForwardPass {
  /** Trained keys and values before the sequence, a pair a layer. */
  readonly prefix: readonly { keys: tf.Tensor3D; values: tf.Tensor3D }[] | null;
}

/** Options of a model that is only traced. */
export interface ModelOptions {
  /** Attention heads of all layers, which share KEPT_PROBABILITY_BYTES; larger if the model represents a deeper one. */
  heads?: number;
  /** Positions in the rotary tables. */
  tablePositions?: number;
}

export class CausalLm {
  private readonly modules: ReadonlyMap<string, LinearModule>;
  private readonly rotaryTables: ReadonlyMap<RotaryFrequencies, RotaryTables>;
  private readonly heads: number;

  /** @param weights every parameter of the architecture by name; the model takes ownership */
  constructor(
    readonly architecture: Architecture,
    private readonly weights: Map<string, Weight>,
    { heads = headsOf(architecture), tablePositions = usablePositions(architecture) }: ModelOptions = {},
  ) {
    this.heads = heads;
    this.modules = new Map(architecture.linears.map(module => [module.name, module]));
    this.rotaryTables = new Map(
      rotationsOf(architecture).map(rotary => [rotary, rotaryTables(rotary, tablePositions)]),
    );
  }

  /**
   * A base parameter. A tied head's weight is the token embedding.
   * @throws Error if the parameter was released
   */
  weight(name: string): Weight {
    const weight = this.weights.get(storedName(this.architecture, name));
    if (!weight) throw new Error(`no weight ${name}`);
    return weight;
  }

  /** Bytes of all parameters in memory. */
  get weightBytes(): number {
    const tensors = [...this.weights.values()].flatMap(weight => {
      if (weight instanceof TransposedWeight) return [weight.matrix];
      return weight instanceof tf.Tensor ? [weight] : weight.words;
    });
    return tensors.reduce((sum, { size }) => sum + 4 * size, 0);
  }

  /** Disposes a parameter that a trainable tensor has permanently replaced, so that it isn't held twice. */
  release(name: string): void {
    this.weights.get(name)?.dispose();
    this.weights.delete(name);
  }

  /** Replaces a parameter permanently, such as a tied embedding and head by their common tensor, which the model then owns. */
  replace(name: string, weight: tf.Tensor): void {
    const stored = storedName(this.architecture, name);
    this.weights.get(stored)?.dispose();
    this.weights.set(stored, tf.keep(weight));
  }

  /** Hidden states after the final norm, [batch * seq, hidden]. */
  forward(input: ModelInput, options: ForwardOptions = {}): tf.Tensor2D {
    const pass = this.open(input, options);
    let x = this.embed(pass);
    for (let i = 0; i < this.architecture.layers.length; i++) x = this.layer(pass, i, x);
    return this.finalNorm(pass, x);
  }

  /** The first layer's input; [rows, hidden], rows = batch * seq, like all later hidden states. */
  embed(pass: ForwardPass): tf.Tensor2D {
    return embed(pass, this.architecture);
  }

  layer(pass: ForwardPass, index: number, x: tf.Tensor2D): tf.Tensor2D {
    return runBlock(pass, this.architecture, index, x);
  }

  /** The head's input. */
  finalNorm(pass: ForwardPass, x: tf.Tensor2D): tf.Tensor2D {
    return normalize(pass, this.architecture.finalNorm, x);
  }

  /** Starts a forward pass that the caller runs layer by layer. Its tensors belong to the caller's tidy. */
  open(input: ModelInput, options: ForwardOptions = {}): OpenPass {
    const { hooks = {}, cache } = options;
    const [batch, seq] = input.inputIds.shape;
    const rows = batch * seq;
    const prefix = hooks.keyValuePrefix;
    const flatPositions = tf.reshape(input.positionIds, [rows]) as tf.Tensor1D;
    const positions = prefix ? tf.add(flatPositions, tf.scalar(prefix.count, 'int32')) : flatPositions;
    const before = cache?.length === 0 ? undefined : cache;
    const prefixLayers = before ? null : (prefix?.layers() ?? null);
    const placed = tf.reshape(positions, [batch, seq, 1]);
    const past = before ? before.length : (prefix?.count ?? 0);
    const { layers } = this.architecture;
    // One per window, created here: where layers run one by one, tensors created in a layer are freed with it.
    const biases = new Map<number, tf.Tensor>();
    if (past !== null)
      for (const { attention } of layers) {
        const window = windowWithin(attention, past + seq);
        if (!biases.has(window)) biases.set(window, attentionBias(input.segmentIds, placed, past, window));
      }
    const biasOf = (layer: number, keys: number): tf.Tensor => {
      const window = windowWithin(layers[layer]!.attention, keys);
      if (!biases.has(window)) biases.set(window, positionBias(placed, keys, window));
      return biases.get(window)!;
    };

    const gathered = (table: tf.Tensor2D): tf.Tensor4D =>
      tf.reshape(tf.gather(table, positions), [batch, seq, 1, table.shape[1]]);
    const rotations = new Map(
      [...this.rotaryTables].map(([rotary, { cos, sin }]): [RotaryFrequencies, Rotation] => [
        rotary,
        { cos: gathered(cos), sin: gathered(sin) },
      ]),
    );

    return {
      input,
      prefix: prefixLayers,
      positions: positions as tf.Tensor1D,
      parameter: name => denseOf(this.parameter(name, options)),
      linear: (name, x) => this.applyLinear(name, x, options),
      embedTokens: name => this.embedTokens(name, input, options),
      sublayer: (layer, kind, output) => hooks.sublayer?.(layer, kind, output) ?? output,
      rotation: rotary => rotations.get(rotary)!,
      attend: (layer, q, k, v) => {
        const heads = (x: tf.Tensor4D) => tf.transpose(x, [0, 2, 1, 3]) as tf.Tensor4D;
        let all: KeyValues = { keys: heads(k), values: heads(v) };
        if (prefixLayers) all = appended(everyRow(prefixLayers[layer]!, batch), all);
        if (cache) all = cache.extend(layer, all);
        const keys = all.keys.shape[2];
        const bias = biasOf(layer, keys);
        const keeps = 4 * this.heads * rows * keys <= KEPT_PROBABILITY_BYTES;
        const out = heads(attention(heads(q), all.keys, all.values, bias, layers[layer]!.attention.scale, keeps));
        return tf.reshape(out, [rows, q.shape[2] * q.shape[3]]);
      },
    };
  }

  /**
   * Logits [rows, vocab] of hidden states [rows, hidden]. The only place that computes them, for decoding, scores and
   * losses: a family's logit cap or scale belongs here, and its derivative where the fused loss computes the gradient
   * (lossOfHead).
   * @param plain the prepared head, if there is one; no gradient is recorded for it
   */
  logits(hidden: tf.Tensor2D, options: ForwardOptions = {}, plain: PlainHead | null = null): tf.Tensor2D {
    return plain ? headProduct(hidden, plain, true) : this.applyLinear(this.architecture.head, hidden, options);
  }

  private parameter(name: string, { replaced }: ForwardOptions): Weight {
    return replaced?.get(name) ?? this.weight(name);
  }

  private applyLinear(name: string, x: tf.Tensor2D, options: ForwardOptions): tf.Tensor2D {
    const module = this.modules.get(name);
    if (!module) throw new Error(`no linear module ${name}`);
    const weight = () => this.parameter(`${name}.weight`, options);
    const bias = () => (module.hasBias ? denseOf<tf.Tensor1D>(this.parameter(`${name}.bias`, options)) : null);
    const base = (x: tf.Tensor2D): tf.Tensor2D => {
      const y = linear(x, weight(), module.conv1d);
      const b = bias();
      return b ? tf.add(y, b) : y;
    };
    const hook = options.hooks?.linear?.get(name);
    if (!hook) return base(x);
    const site = this.architecture.linears.indexOf(module);
    const dropout = (x: tf.Tensor2D, rate: number) =>
      rate > 0 && options.dropout ? options.dropout(x, rate, site) : x;
    return hook({ module, x, base, weight, bias, dropout });
  }

  private embedTokens(name: string, input: ModelInput, options: ForwardOptions): tf.Tensor2D {
    const table = this.parameter(`${name}.weight`, options) as tf.Tensor2D | PartedWeight;
    const ids = tf.reshape(input.inputIds, [-1]) as tf.Tensor1D;
    const virtual = options.hooks?.virtualTokens;
    if (!virtual) return gatherRows(table, ids);
    const first = this.architecture.vocabSize;
    const real = gatherRows(table, tf.minimum(ids, tf.scalar(first - 1, 'int32')));
    const index = tf.maximum(tf.sub(ids, tf.scalar(first, 'int32')), tf.scalar(0, 'int32')) as tf.Tensor1D;
    const isVirtual = tf.expandDims(tf.cast(tf.greaterEqual(ids, tf.scalar(first, 'int32')), 'float32'), 1);
    return tf.add(
      tf.mul(real, tf.sub(1, isVirtual)),
      tf.mul(gatherRows(virtual.embeddings(), index), isVirtual),
    ) as tf.Tensor2D;
  }

  dispose(): void {
    for (const weight of this.weights.values()) weight.dispose();
    this.weights.clear();
    for (const { cos, sin } of this.rotaryTables.values()) tf.dispose([cos, sin]);
  }
}

/** Attention heads of all layers. */
export function headsOf({ layers }: Architecture): number {
  return layers.reduce((sum, { attention }) => sum + attention.heads, 0);
}

/** A layer's window; Infinity if it covers all of `keys` keys. */
function windowWithin({ window }: AttentionSpec, keys: number): number {
  return window === null || window >= keys ? Infinity : window;
}

/**
 * 0 where a query may attend to a key, MASKED_SCORE elsewhere: keys before the sequence are visible to all tokens, keys
 * within it to later tokens of the same segment, both within the window.
 * @param positions of each token, counted from the first of the keys before the sequence; [batch, seq, 1]
 * @param past keys before the sequence
 * @param window tokens that a position attends to
 * @returns [batch, 1, 1, seq, past + seq]
 */
function attentionBias(segmentIds: tf.Tensor2D, positions: tf.Tensor, past: number, window: number): tf.Tensor {
  const [batch, seq] = segmentIds.shape;
  const query = tf.reshape(tf.range(0, seq, 1, 'int32'), [seq, 1]);
  const key = tf.reshape(tf.range(0, seq, 1, 'int32'), [1, seq]);
  let seen = tf.lessEqual(key, query);
  if (window < Infinity) seen = tf.logicalAnd(seen, tf.less(tf.sub(query, key), tf.scalar(window, 'int32')));
  const sameSegment = tf.equal(tf.reshape(segmentIds, [batch, seq, 1]), tf.reshape(segmentIds, [batch, 1, seq]));
  const within = tf.cast(tf.logicalAnd(tf.expandDims(seen, 0), sameSegment), 'float32');
  let all: tf.Tensor = within;
  if (past > 0) {
    // Filled by TensorFlow: an array filled in JavaScript would become a constant of every captured graph.
    let before: tf.Tensor = tf.fill([batch, seq, past], 1);
    if (window < Infinity) {
      const earlier = tf.reshape(tf.range(0, past, 1, 'int32'), [1, 1, past]);
      const distance = tf.sub(positions, earlier);
      before = tf.cast(tf.less(distance, tf.scalar(window, 'int32')), 'float32');
    }
    all = tf.concat([before, within], 2);
  }
  return tf.reshape(tf.mul(tf.sub(1, all), MASKED_SCORE), [batch, 1, 1, seq, past + seq]);
}

/**
 * 0 for keys at the query's own position or earlier, within the window, MASKED_SCORE elsewhere.
 * @param positions [batch, seq, 1]
 * @returns [batch, 1, 1, seq, keys]
 */
function positionBias(positions: tf.Tensor, keys: number, window: number): tf.Tensor {
  const [batch, seq] = positions.shape as [number, number];
  const distance = tf.sub(positions, tf.range(0, keys, 1, 'int32'));
  let seen = tf.greaterEqual(distance, tf.scalar(0, 'int32'));
  if (window < Infinity) seen = tf.logicalAnd(seen, tf.less(distance, tf.scalar(window, 'int32')));
  return tf.reshape(tf.mul(tf.sub(1, tf.cast(seen, 'float32')), MASKED_SCORE), [batch, 1, 1, seq, keys]);
}
