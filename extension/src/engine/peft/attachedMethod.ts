// A method with its config on an architecture: the rest of the engine passes it around instead of the three separately,
// so that they always belong together. Holds no tensors; adapter.ts allocates them.
import type * as tf from '@tensorflow/tfjs-core';
import type { Architecture } from '../models/architecture.js';
import type { ForwardHooks } from '../models/hooks.js';
import { usablePositions } from '../models/rotaryTables.js';
import type { LoraForm, PeftMethod, Purpose, TensorOf, TensorSpec } from './method.js';

export class AttachedMethod<Config = unknown> {
  private readonly plans = new Map<Purpose, readonly TensorSpec[]>();
  private placed: ForwardHooks | null = null;

  constructor(
    readonly method: PeftMethod<Config>,
    readonly config: Config,
    readonly architecture: Architecture,
    /** Embedding and head of a saved adapter that replace the base's, frozen. */
    private readonly embeddings: readonly TensorSpec[] = [],
  ) {}

  /** The same method and config on another architecture, such as one with fewer layers. */
  on(architecture: Architecture): AttachedMethod<Config> {
    return new AttachedMethod(this.method, this.config, architecture, this.embeddings);
  }

  /** @throws InputError if the config doesn't fit the architecture */
  plan(purpose: Purpose): readonly TensorSpec[] {
    const known = this.plans.get(purpose);
    if (known) return known;
    const plan = this.withEmbeddings(this.method.plan(this.config, this.architecture, purpose));
    this.plans.set(purpose, plan);
    return plan;
  }

  hooks(tensorOf: TensorOf, purpose: Purpose): ForwardHooks {
    return this.method.hooks(this.config, this.architecture, tensorOf, purpose);
  }

  /** Adds the saved embedding and head, except for those that the method trains itself. */
  private withEmbeddings(own: readonly TensorSpec[]): readonly TensorSpec[] {
    const taken = new Set(own.flatMap(({ key, replaces = [] }) => [key, ...replaces]));
    // A tied parameter may be there under both names. PEFT loads the head's value last, so that it counts.
    const added = this.embeddings.toReversed().flatMap((spec): TensorSpec[] => {
      const replaces = spec.replaces!.filter(name => !taken.has(name));
      if (taken.has(spec.key) || replaces.length === 0) return [];
      for (const name of replaces) taken.add(name);
      return [{ ...spec, replaces }];
    });
    return added.length > 0 ? [...own, ...added] : own;
  }

  /** The method's hooks before it has tensors: they show where it acts. */
  get placement(): ForwardHooks {
    const unread = () => {
      throw new Error('hooks must not read tensors before the forward pass');
    };
    return (this.placed ??= this.hooks(unread, 'inference'));
  }

  /** Virtual tokens before each example. */
  get virtualTokens(): number {
    return this.placement.virtualTokens?.count ?? 0;
  }

  /** Positions that virtual tokens or a prefix take up before each example. */
  get positionsTaken(): number {
    return this.virtualTokens + (this.placement.keyValuePrefix?.count ?? 0);
  }

  /** Rank of its low-rank factors; null if it has none. */
  get rank(): number | null {
    const { lowRank } = this.method;
    return lowRank ? (this.config as Record<string, number>)[lowRank.rank]! : null;
  }

  /**
   * The adapter in LoRA's form, or a text that names what can't be expressed in it; null if the method never has it.
   */
  asLora(): LoraForm | string | null {
    const form = this.method.asLora?.(this.config, this.architecture) ?? null;
    const [table] = this.plan('inference').filter(({ frozen, replaces }) => frozen && replaces);
    return table && typeof form !== 'string' ? `an embedding or head saved with the adapter (${table.key})` : form;
  }

  /** The method's part of adapter_config.json. */
  toAdapterConfig(): Record<string, unknown> {
    return this.method.toAdapterConfig(this.config, this.architecture);
  }

  /** The tensors of an adapter file, if they differ from the trainable tensors; they belong to the caller. */
  toAdapterTensors(tensorOf: TensorOf): Map<string, tf.Tensor> | null {
    return this.method.toAdapterTensors?.(this.config, this.architecture, tensorOf) ?? null;
  }

  /** Base parameters with the adapter merged, see `PeftMethod.merge`; null if the method can't be merged. */
  merge(tensorOf: TensorOf, base: (name: string) => tf.Tensor): Map<string, () => tf.Tensor> | null {
    return this.method.merge?.(this.config, this.architecture, tensorOf, base) ?? null;
  }
}

/**
 * Maximum tokens of a row, in addition to the method's virtual tokens or prefix. May be less than 1.
 * @param attached null: the model alone
 */
export function usableLength(architecture: Architecture, attached: AttachedMethod | null): number {
  return usablePositions(architecture) - (attached?.positionsTaken ?? 0);
}
