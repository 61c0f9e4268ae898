// A PEFT method attached to a model: its trainable tensors, allocated and initialised by its plan, and what a forward
// pass needs of it. The adapter owns its tensors.
import * as tf from '@tensorflow/tfjs-core';
import type { Rng } from '../data/rng.js';
import { sizeOf } from '../models/architecture.js';
import type { CausalLm, ForwardOptions } from '../models/causalLm.js';
import { denseOf } from '../models/quantizedWeight.js';
import type { AttachedMethod } from './attachedMethod.js';
import { trainedOf, type Initializer, type PeftMethod, type Purpose, type TrainableSpec } from './method.js';

export interface AttachOptions {
  purpose: Purpose;
  rng: Rng;
  /** Needed by prompts that start from a text. */
  tokenize?: (text: string) => number[];
  /** Saved values by key, in place of the method's own start. */
  values?: (spec: TrainableSpec) => Float32Array | undefined;
}

type AdapterForward = Required<Pick<ForwardOptions, 'hooks' | 'replaced'>>;

export class Adapter {
  /** What is trained, by key. */
  readonly variables = new Map<string, tf.Variable>();
  /** What is not, by key. */
  private readonly frozen = new Map<string, tf.Tensor>();
  /** What a forward pass needs to use this adapter's own tensors. */
  readonly forwardOptions: AdapterForward;
  readonly numParameters: number;
  private readonly plan: readonly TrainableSpec[];

  private constructor(
    readonly attached: AttachedMethod,
    readonly purpose: Purpose,
    private readonly model: CausalLm,
    options: AttachOptions,
  ) {
    this.plan = attached.plan(purpose);
    try {
      for (const spec of this.plan) this.allocate(spec, options);
    } catch (error) {
      this.dispose();
      throw error;
    }
    this.numParameters = trainedOf(this.plan).reduce((sum, spec) => sum + sizeOf(spec.shape), 0);
    this.forwardOptions = this.forwardWith(this.variables);
  }

  /** The same with other tensors in place of those that are trained, such as those of a traced step. */
  forwardWith(tensors: ReadonlyMap<string, tf.Tensor>): AdapterForward {
    const { attached, purpose, plan } = this;
    const replaced = new Map(
      plan.flatMap(({ key, replaces = [] }) => replaces.map(name => [name, tensors.get(key)!] as const)),
    );
    const tensorOf = (key: string) => tensors.get(key) ?? this.frozen.get(key)!;
    return { hooks: attached.hooks(tensorOf, purpose), replaced };
  }

  /** Allocates the method's tensors for a model of its architecture. */
  static attach(attached: AttachedMethod, model: CausalLm, options: AttachOptions): Adapter {
    return new Adapter(attached, options.purpose, model, options);
  }

  get method(): PeftMethod {
    return this.attached.method;
  }

  readonly tensorOf = (key: string): tf.Tensor => {
    const tensor = this.variables.get(key) ?? this.frozen.get(key);
    if (!tensor) throw new Error(`${this.method.peftType} has no tensor ${key}`);
    return tensor;
  };

  /** Lets the model forget the parameters that this adapter's own stand in for. The adapter can't be taken off then. */
  takeOver(): void {
    const { replaced } = this.forwardOptions;
    const { tieWordEmbeddings, embedding, head } = this.model.architecture;
    for (const name of replaced.keys()) {
      const headStillReads = tieWordEmbeddings && name === `${embedding}.weight` && !replaced.has(`${head}.weight`);
      if (!headStillReads) this.model.release(name);
    }
  }

  /** What an adapter file holds, by key; the result belongs to the caller. */
  exportTensors(): Map<string, tf.Tensor> {
    const made = this.purpose === 'training' ? this.attached.toAdapterTensors(this.tensorOf) : null;
    if (made) return made;
    const saved = this.plan.filter(({ frozen }) => frozen !== 'recomputed');
    return new Map(saved.map(({ key }) => [key, tf.clone(this.tensorOf(key))]));
  }

  /** Base parameters with the adapter folded in, by name (the changed ones only); `null` where that is impossible. */
  merge(): Map<string, tf.Tensor> | null {
    const base = (name: string) => this.forwardOptions.replaced.get(name) ?? denseOf(this.model.weight(name));
    const merged = this.attached.merge(this.tensorOf, base);
    if (!merged) return null;
    for (const [name, tensor] of this.forwardOptions.replaced)
      if (!merged.has(name)) merged.set(name, tf.clone(tensor));
    return merged;
  }

  dispose(): void {
    tf.dispose([...this.variables.values(), ...this.frozen.values()]);
    this.variables.clear();
    this.frozen.clear();
  }

  private allocate(spec: TrainableSpec, options: AttachOptions): void {
    const { key, init, frozen } = spec;
    const shape = [...spec.shape];
    const saved = options.values?.(spec);
    tf.tidy(() => {
      const value = saved ? tf.tensor(saved, shape) : this.initial(init, shape, key, options);
      if (frozen) this.frozen.set(key, tf.keep(tf.clone(value)));
      else this.variables.set(key, tf.variable(value));
    });
  }

  private initial(init: Initializer, shape: number[], key: string, options: AttachOptions): tf.Tensor {
    // Each tensor draws from a stream of its own, so that a start doesn't depend on what else is trained.
    const rng = options.rng.fork(key);
    const drawn = (draw: () => number) => tf.tensor(Float32Array.from({ length: sizeOf(shape) }, draw), shape);
    switch (init.kind) {
      case 'zeros':
        return tf.zeros(shape);
      case 'ones':
        return tf.ones(shape);
      case 'normal':
        return drawn(() => rng.normal() * init.std);
      case 'uniform':
        return drawn(() => (2 * rng.next() - 1) * init.bound);
      case 'base':
        return denseOf(this.model.weight(init.name));
      case 'computed':
        return init.compute({
          base: name => denseOf(this.model.weight(name)),
          own: this.tensorOf,
          rng,
          tokenize: options.tokenize ?? (() => []),
        });
    }
  }
}
