// LoRA adapters as numbers that are fed to a step: the factors of all adapters in use, concatenated by rank, and for each
// sequence the strength of every rank. So sequences of different adapters, mixtures and the base are rows of one batch,
// and another adapter needs no other graph: update = ((x Aᵀ) * strengths) B. Called by variant.ts and scheduler.ts.
import * as tf from '@tensorflow/tfjs-core';
import type { Architecture } from '../models/architecture.js';
import type { ForwardHooks, LinearCall } from '../models/hooks.js';
import { matMulTransposed } from '../models/ops.js';
import type { LoraForm, ReadTensor } from '../peft/method.js';
import type { StepForm } from './stepGraphs.js';

interface Factors {
  /** A [rank, in] */
  a: tf.Tensor2D;
  /** scale · Bᵀ [rank, out] */
  b: tf.Tensor2D;
}

/** The factors of an adapter. Owns its tensors. */
export class LoraTensors {
  readonly modules: ReadonlyMap<string, Factors>;
  /** Highest rank of its modules. */
  readonly rank: number;

  /** @param readTensor of the adapter's file */
  constructor({ factors }: LoraForm, readTensor: ReadTensor) {
    // Modules may share a tensor.
    const values = new Map<string, Float32Array>();
    const read: ReadTensor = key => {
      const known = values.get(key) ?? readTensor(key);
      values.set(key, known);
      return known;
    };
    this.rank = Math.max(...factors.map(({ rank }) => rank));
    this.modules = new Map(
      factors.map(({ module, rank, scale, a, b }) => {
        const made = tf.tidy(() => ({
          a: tf.tensor2d(a(read), [rank, module.inFeatures]),
          b: tf.mul(tf.transpose(tf.tensor2d(b(read), [module.outFeatures, rank])), scale) as tf.Tensor2D,
        }));
        return [module.name, made] as const;
      }),
    );
  }

  dispose(): void {
    for (const { a, b } of this.modules.values()) tf.dispose([a, b]);
  }
}

/** Adapters with their strengths. */
export type LoraShares = ReadonlyMap<LoraTensors, number>;

/** The hooks of a sequence alone, read op by op. */
export function hooksOf(shares: LoraShares): ForwardHooks {
  const names = new Set([...shares.keys()].flatMap(({ modules }) => [...modules.keys()]));
  const apply =
    (name: string) =>
    ({ x, base }: LinearCall): tf.Tensor2D => {
      let y = base(x);
      for (const [{ modules }, strength] of shares) {
        const factors = modules.get(name);
        if (factors) y = tf.add(y, tf.matMul(tf.mul(matMulTransposed(x, factors.a), strength), factors.b));
      }
      return y;
    };
  return { linear: new Map([...names].map(name => [name, apply(name)])) };
}

/** Ranks of a pool: few different numbers, since each needs a graph of its own. */
function pooledRank(ranks: number): number {
  return ranks === 0 ? 0 : 2 ** Math.max(3, Math.ceil(Math.log2(ranks)));
}

/** What the graph of a step with these adapters depends on. */
export interface PoolShape {
  modules: readonly string[];
  rank: number;
  /** Equal for equal ones. */
  key: string;
}

export function poolShape(adapters: readonly LoraTensors[]): PoolShape {
  const modules = [...new Set(adapters.flatMap(({ modules }) => [...modules.keys()]))].sort();
  const rank = pooledRank(adapters.reduce((sum, { rank }) => sum + rank, 0));
  return { modules, rank, key: `rank ${rank} of ${modules.join(' ')}` };
}

/** The factors of several adapters as one. Owns its tensors. */
export class LoraPool {
  readonly rank: number;
  /** Steps with it. */
  readonly form: StepForm;
  /** A and B of each module in turn. */
  readonly tensors: readonly tf.Tensor2D[];
  private readonly firstRanks = new Map<LoraTensors, number>();

  constructor(adapters: readonly LoraTensors[], architecture: Architecture) {
    const shape = poolShape(adapters);
    const { modules, rank } = shape;
    this.rank = rank;
    this.form = pooledForm(shape, architecture);
    let next = 0;
    for (const adapter of adapters) {
      this.firstRanks.set(adapter, next);
      next += adapter.rank;
    }
    this.tensors = modules.flatMap(name =>
      (['a', 'b'] as const).map(which => tf.tidy(() => concatenated(adapters, name, which, rank))),
    );
  }

  /** Whether it has these adapters, and no others. */
  isOf(adapters: readonly LoraTensors[]): boolean {
    return adapters.length === this.firstRanks.size && this.has(adapters);
  }

  has(adapters: readonly LoraTensors[]): boolean {
    return adapters.every(adapter => this.firstRanks.has(adapter));
  }

  /** Strength of every rank for each row of a module's input, [rows, rank]. */
  strengths(rows: readonly LoraShares[]): tf.Tensor2D {
    const { rank } = this;
    const values = new Float32Array(rows.length * rank);
    for (const [row, shares] of rows.entries())
      for (const [adapter, strength] of shares) {
        const first = row * rank + this.firstRanks.get(adapter)!;
        values.fill(strength, first, first + adapter.rank);
      }
    return tf.tensor2d(values, [rows.length, rank]);
  }

  dispose(): void {
    tf.dispose([...this.tensors]);
  }
}

/** One module's factors of all adapters, with zeros where an adapter has fewer ranks or lacks the module. */
function concatenated(adapters: readonly LoraTensors[], name: string, which: 'a' | 'b', rank: number): tf.Tensor2D {
  const known = adapters.find(({ modules }) => modules.has(name))!.modules.get(name)![which];
  const [, width] = known.shape;
  let filled = 0;
  const parts = adapters.flatMap(adapter => {
    const own = adapter.modules.get(name)?.[which];
    const missing = adapter.rank - (own?.shape[0] ?? 0);
    filled += adapter.rank;
    return [...(own ? [own] : []), ...(missing > 0 ? [tf.zeros<tf.Rank.R2>([missing, width])] : [])];
  });
  if (filled < rank) parts.push(tf.zeros([rank - filled, width]));
  return parts.length === 1 ? tf.clone(parts[0]!) : tf.concat(parts, 0);
}

/** Steps with a pool of this shape; strengths and its tensors are fed, nothing if it has no adapters. */
export function pooledForm(shape: PoolShape, { linears }: Architecture): StepForm {
  const { key, modules, rank } = shape;
  const sizes = new Map(linears.map(({ name, inFeatures, outFeatures }) => [name, [inFeatures, outFeatures] as const]));
  const shapes = modules.flatMap(name => sizes.get(name)!.map(width => [rank, width]));
  return {
    key,
    inputs: rows => (rank > 0 ? [[rows, rank], ...shapes] : []).map(shape => ({ shape, dtype: 'float32' })),
    forward: fed => ({ hooks: pooledHooks(shape, fed) }),
  };
}

/** The hooks of a traced step. @param tensors strengths, then those of a pool of this shape */
function pooledHooks({ modules }: PoolShape, [strengths, ...tensors]: readonly tf.Tensor[]): ForwardHooks {
  return {
    linear: new Map(
      modules.map((name, i) => {
        const [a, b] = [tensors[2 * i]!, tensors[2 * i + 1] as tf.Tensor2D];
        const apply = ({ x, base }: LinearCall) =>
          tf.add(base(x), tf.matMul(tf.mul(matMulTransposed(x, a), strengths!) as tf.Tensor2D, b)) as tf.Tensor2D;
        return [name, apply];
      }),
    ),
  };
}
