// What a request changes in the model: nothing, LoRA adapters with strengths, or one other adapter. Says how its prompt is
// read and with what others its steps can be one batch: by the hooks and the LoRA form that a method has, never by its
// name. Made by session.ts; used by scheduler.ts.
import type * as tf from '@tensorflow/tfjs-core';
import { specsOf } from '../capture/tracingBackend.js';
import type { ForwardOptions } from '../models/causalLm.js';
import type { Adapter } from '../peft/adapter.js';
import { hooksOf, type LoraShares } from './loraPool.js';
import type { StepForm } from './stepGraphs.js';

export interface Variant {
  /** Equal for equal hidden states; null if they may change, so that keys and values must not be kept. */
  key: string | null;
  /** Of a sequence alone. */
  forward: ForwardOptions;
  /** Virtual tokens before the prompt, and keys and values before those. */
  virtualTokens: number;
  prefix: number;
  /** Rows of its embedding, if they aren't the base's. */
  vocabSize: number | null;
  /**
   * The LoRA adapters of its decoding steps; or the adapter with which only its own sequences are batched, and its
   * steps.
   */
  steps: { shares: LoraShares } | { adapter: Adapter; form: StepForm };
}

export const NO_SHARES: LoraShares = new Map();

/** The LoRA adapters of its prompt, if that is all that it changes there: then it can be read with other prompts. */
export function promptShares({ steps, virtualTokens, prefix }: Variant): LoraShares | null {
  return 'shares' in steps && virtualTokens === 0 && prefix === 0 ? steps.shares : null;
}

/** @param key of the mixture, of adapters that don't change */
export function loraVariant(key: string, shares: LoraShares): Variant {
  return { key, forward: { hooks: hooksOf(shares) }, virtualTokens: 0, prefix: 0, vocabSize: null, steps: { shares } };
}

/** @param key null if the adapter's tensors may change */
export function adapterVariant(key: string | null, adapter: Adapter): Variant {
  const { virtualTokens, keyValuePrefix, linear, sublayer } = adapter.attached.placement;
  const { replaced } = adapter.forwardOptions;
  // Such a method acts only through what the cache contains: its steps are those of the base.
  const plainSteps = !linear && !sublayer && replaced.size === 0;
  return {
    key,
    forward: adapter.forwardOptions,
    virtualTokens: virtualTokens?.count ?? 0,
    prefix: keyValuePrefix?.count ?? 0,
    vocabSize: adapter.attached.architecture.vocabSize,
    steps: plainSteps ? { shares: NO_SHARES } : { adapter, form: adapterForm(adapter) },
  };
}

/** What an adapter's graph depends on: adapters with the same text can use the same one. */
function structureOf({ attached, purpose, tensors }: Adapter): string {
  const shapes = [...tensors].map(([key, { shape }]) => [key, shape]);
  return JSON.stringify([attached.method.peftType, attached.config, purpose, shapes]);
}

/** Steps with an adapter, whose `tensors` are fed. */
export function adapterForm(adapter: Adapter): StepForm {
  const inputs = specsOf(adapter.tensors.values());
  return { key: structureOf(adapter), inputs: () => inputs, forward: fed => stepOptions(adapter, fed) };
}

/** Without what is in the cache already. */
function stepOptions(adapter: Adapter, tensors: readonly tf.Tensor[]): ForwardOptions {
  const { hooks, replaced } = adapter.forwardWith(
    new Map([...adapter.tensors.keys()].map((key, i) => [key, tensors[i]!])),
  );
  return { hooks: { ...hooks, virtualTokens: undefined, keyValuePrefix: undefined }, replaced };
}
