// The interface of a PEFT method. A method only declares which tensors it trains (`plan`), where they act (`hooks`),
// and how its config and tensors are named in PEFT's files. Allocation, saving, loading, counting and merging are
// implemented once for all methods, in adapter.ts and adapterFiles.ts. A new method is one file in this folder and one
// line in registry.ts.
import type * as tf from '@tensorflow/tfjs-core';
import type { z } from 'zod';
import type { LowRank } from '../../protocol/methodFacts.js';
import type { Rng } from '../data/rng.js';
import type { OtherKeys } from './adapterConfig.js';
import type { Architecture, LinearModule } from '../models/architecture.js';
import type { ForwardHooks } from '../models/hooks.js';

/** Initial values of a tensor. */
export type Initializer =
  | { kind: 'zeros' }
  | { kind: 'ones' }
  | { kind: 'normal'; std: number }
  /** Uniform in [-bound, bound]. */
  | { kind: 'uniform'; bound: number }
  /** A copy of a base parameter. */
  | { kind: 'base'; name: string }
  /** Computed from base parameters and from the tensors before it in the plan. */
  | { kind: 'computed'; compute(context: InitializerContext): tf.Tensor };

export interface InitializerContext {
  base(name: string): tf.Tensor;
  own(key: string): tf.Tensor;
  rng: Rng;
  /** Token ids of a text, for prompts that are initialized from one. */
  tokenize(text: string): number[];
}

/** A tensor of a method: trainable, or frozen and needed by the others. */
export interface TensorSpec {
  /** Name in the adapter file. */
  key: string;
  shape: readonly number[];
  init: Initializer;
  /** The base parameters that it replaces; two if embedding and head are tied. */
  replaces?: readonly string[];
  /**
   * Set for a tensor that isn't trained: it has no gradient and no optimizer state, and doesn't count as a trainable
   * parameter. It is saved with the adapter, or left out of the file and recomputed by `init`.
   */
  frozen?: 'saved' | 'recomputed';
}

/** The trainable tensors of a plan. */
export function trainedOf(plan: readonly TensorSpec[]): TensorSpec[] {
  return plan.filter(({ frozen }) => frozen === undefined);
}

/** Looks up the attached method's tensors by key. */
export type TensorOf = (key: string) => tf.Tensor;

/** Training needs all tensors, inference only those of an adapter file (for example a prompt encoder's output). */
export type Purpose = 'training' | 'inference';

/** `LoraForm` for one matrix: y = W x + scale · B A x. */
export interface LoraFactors {
  module: LinearModule;
  rank: number;
  scale: number;
  /** A [rank, in], computed from the adapter's saved tensors. */
  a(read: ReadTensor): Float32Array;
  /** B [out, rank] */
  b(read: ReadTensor): Float32Array;
}

/** Reads a saved tensor's values by key. */
export type ReadTensor = (key: string) => Float32Array;

/** An adapter expressed as a LoRA adapter that computes the same. */
export interface LoraForm {
  dropout: number;
  factors: LoraFactors[];
}

/** What a Python program needs to train the same. */
export type PythonForm<Config = unknown> =
  /** PEFT's class for the method's config, which takes the keys of adapter_config.json. */
  | { configClass: string }
  /** Without PEFT: a condition on the `name` of the parameters that are trained, as Python's source; null: all of them. */
  | { trained(config: Config, architecture: Architecture): string | null };

export interface PeftMethod<Config = unknown> {
  /** PEFT's `peft_type`. */
  peftType: string;
  title: string;
  /** One sentence, for the run panel and for `describe`. */
  summary: string;
  /** Kind of method; the run panel groups methods by it. */
  family: 'selective' | 'reparameterization' | 'additive' | 'full';
  /** The peak rate proposed for a run: that of the method's paper or of PEFT's examples, with AdamW. */
  learningRate: number;
  /** Keys of the run file's `method` block with defaults and descriptions, without `peft_type` and `init_from`. */
  schema: z.ZodType<Config>;
  /** Whether an untrained adapter doesn't change the model's output. */
  identityAtStart(config: Config): boolean;
  /** Where the tensors are saved: PEFT's adapter files, the selective pair, or a complete model. */
  storage: 'adapter' | 'selective' | 'model';
  /** Set if it trains pairs of low-rank factors: how screens draw and count them. */
  lowRank?: LowRank;

  /** @throws InputError if the config doesn't fit the architecture (for example, a target matches nothing) */
  plan(config: Config, architecture: Architecture, purpose: Purpose): TensorSpec[];
  hooks(config: Config, architecture: Architecture, tensorOf: TensorOf, purpose: Purpose): ForwardHooks;

  /** The method's part of adapter_config.json; `undefined` for storage 'model'. */
  toAdapterConfig(config: Config, architecture: Architecture): Record<string, unknown>;
  /** What is done with the other keys of PEFT's config class; absent if PEFT has no such method. */
  otherKeys?: OtherKeys;
  /** The config of an adapter_config.json. @throws InputError on unsupported values */
  fromAdapterConfig(json: Record<string, unknown>, architecture: Architecture, file: string): Config;
  /**
   * The adapter in LoRA's form, for file formats of programs that support only LoRA; or a text that names the part of
   * the config that can't be expressed in it. Absent if no config can.
   */
  asLora?(config: Config, architecture: Architecture): LoraForm | string;
  /** For `eject`; absent if neither PEFT nor Transformers has the method. */
  python?: PythonForm<Config>;
  /** The tensors of an adapter file, if they differ from the trainable tensors. The result belongs to the caller. */
  toAdapterTensors?(config: Config, architecture: Architecture, tensorOf: TensorOf): Map<string, tf.Tensor>;

  /**
   * Base parameters with the adapter merged, by name: each is computed when it is called, within the caller's tidy.
   * Absent if the method isn't a change of weights.
   */
  merge?(
    config: Config,
    architecture: Architecture,
    tensorOf: TensorOf,
    base: (name: string) => tf.Tensor,
  ): Map<string, () => tf.Tensor>;
}
