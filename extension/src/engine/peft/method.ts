// What a PEFT method is. A method only declares: which tensors it trains (`plan`), where they act (`hooks`), and how its
// config and tensors are named in PEFT's files. Allocation, saving, loading, counting and merging are done once, for all
// methods, in adapter.ts and adapterFiles.ts. A new method is one file beside this one and one line in registry.ts.
import type * as tf from '@tensorflow/tfjs-core';
import type { z } from 'zod';
import type { LowRank } from '../../protocol/methodFacts.js';
import type { Rng } from '../data/rng.js';
import type { Architecture, LinearModule } from '../models/architecture.js';
import type { ForwardHooks } from '../models/hooks.js';

/** How a trainable tensor starts. */
export type Initializer =
  | { kind: 'zeros' }
  | { kind: 'ones' }
  | { kind: 'normal'; std: number }
  /** Uniform in [-bound, bound]. */
  | { kind: 'uniform'; bound: number }
  /** A copy of a base parameter. */
  | { kind: 'base'; name: string }
  /** Computed from base parameters and from the method's tensors that come before it. */
  | { kind: 'computed'; compute(context: InitializerContext): tf.Tensor };

export interface InitializerContext {
  base(name: string): tf.Tensor;
  own(key: string): tf.Tensor;
  rng: Rng;
  /** Ids of a text, for prompts that start from one. */
  tokenize(text: string): number[];
}

/** A tensor of a method's own: what it trains, and what it needs beside that. */
export interface TrainableSpec {
  /** Name in the adapter file. */
  key: string;
  shape: readonly number[];
  init: Initializer;
  /** The base parameters that it stands in for; two where embedding and head are one parameter. */
  replaces?: readonly string[];
  /**
   * Held and read, but not trained: it has no gradient and no optimizer state, and is no trainable parameter. Saved with the
   * adapter, or left out of the file and computed again by `init`.
   */
  frozen?: 'saved' | 'recomputed';
}

/** What of a plan is trained. */
export function trainedOf(plan: readonly TrainableSpec[]): TrainableSpec[] {
  return plan.filter(({ frozen }) => frozen === undefined);
}

/** The method's tensors by key while it is attached. */
export type TensorOf = (key: string) => tf.Tensor;

/** Training needs every trainable tensor; inference only what an adapter file holds (a prompt encoder's output, say). */
export type Purpose = 'training' | 'inference';

/** One matrix's share of `LoraForm`: y = W x + scale · B A x. */
export interface LoraFactors {
  module: LinearModule;
  rank: number;
  scale: number;
  /** A [rank, in] from the adapter's tensors as they are saved. */
  a(read: ReadTensor): Float32Array;
  /** B [out, rank] */
  b(read: ReadTensor): Float32Array;
}

/** A saved tensor's values by key. */
export type ReadTensor = (key: string) => Float32Array;

/** An adapter as a LoRA one that computes the same. */
export interface LoraForm {
  dropout: number;
  factors: LoraFactors[];
}

export interface PeftMethod<Config = unknown> {
  /** PEFT's `peft_type`. */
  peftType: string;
  title: string;
  /** One sentence for the form and for `describe`. */
  summary: string;
  /** Family in PEFT's sense; how the methods are grouped on screen. */
  family: 'selective' | 'reparameterization' | 'additive' | 'full';
  /** Keys of the run file's `method` block, with defaults and descriptions; `peft_type` and `init_from` left out. */
  schema: z.ZodType<Config>;
  /** Whether an untrained adapter leaves the model's output as it is. */
  identityAtStart(config: Config): boolean;
  /** Where the tensors go: PEFT's adapter files, the selective pair, or a whole model. */
  storage: 'adapter' | 'selective' | 'model';
  /** Where it trains pairs of low-rank factors: what screens need to draw and to count them. */
  lowRank?: LowRank;

  /** @throws InputError where the config doesn't fit the architecture (a target that matches nothing, say) */
  plan(config: Config, architecture: Architecture, purpose: Purpose): TrainableSpec[];
  hooks(config: Config, architecture: Architecture, tensorOf: TensorOf, purpose: Purpose): ForwardHooks;

  /** The method's part of adapter_config.json; `undefined` for storage 'model'. */
  toAdapterConfig(config: Config, architecture: Architecture): Record<string, unknown>;
  /** The config that an adapter_config.json stands for. @throws InputError on what is not supported */
  fromAdapterConfig(json: Record<string, unknown>, architecture: Architecture, file: string): Config;
  /**
   * The same change in LoRA's form, for files of programs that know no other; in words what of the config has no place in
   * it, where something hasn't. Left out: no config has that form.
   */
  asLora?(config: Config, architecture: Architecture): LoraForm | string;
  /** What an adapter file holds, where that differs from the trained tensors. The result belongs to the caller. */
  toAdapterTensors?(config: Config, architecture: Architecture, tensorOf: TensorOf): Map<string, tf.Tensor>;

  /**
   * Base parameters with the adapter folded in, by name; the result belongs to the caller. Absent where the method is no
   * change of weights.
   */
  merge?(
    config: Config,
    architecture: Architecture,
    tensorOf: TensorOf,
    base: (name: string) => tf.Tensor,
  ): Map<string, tf.Tensor>;
}
