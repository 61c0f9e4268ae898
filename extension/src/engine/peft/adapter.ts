// A PEFT method attached to a model: its tensors, allocated and initialized by its plan, and its part in a forward
// pass. The adapter owns its tensors.
import * as tf from '@tensorflow/tfjs-core';
import type { Rng } from '../data/rng.js';
import { sizeOf, storedName } from '../models/architecture.js';
import type { CausalLm, ForwardOptions } from '../models/causalLm.js';
import { changedTo, type ChangedParameter, type ChangedParameters } from '../models/changedParameters.js';
import { denseOf } from '../models/quantizedWeight.js';
import type { AttachedMethod } from './attachedMethod.js';
import { trainedOf, type Initializer, type PeftMethod, type Purpose, type TensorSpec } from './method.js';

export interface AttachOptions {
  purpose: Purpose;
  rng: Rng;
  /** Needed by prompts that are initialized from a text. */
  tokenize?: (text: string) => number[];
  /** Saved values by key, instead of the method's initial values. */
  values?: (spec: TensorSpec) => Float32Array | undefined;
}

type AdapterForward = Required<Pick<ForwardOptions, 'hooks' | 'replaced'>>;

export class Adapter {
  /** Trainable tensors by key. */
  readonly variables = new Map<string, tf.Variable>();
  /** Frozen tensors by key. */
  private readonly frozen = new Map<string, tf.Tensor>();
  /** Options of a forward pass that uses this adapter's tensors. */
  forwardOptions: AdapterForward;
  private tookOver = false;
  readonly numParameters: number;
  private readonly plan: readonly TensorSpec[];

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

  /** The same with other tensors instead of its own, such as those of a traced step. */
  forwardWith(tensors: ReadonlyMap<string, tf.Tensor>): AdapterForward {
    const { attached, purpose, plan } = this;
    const tensorOf = (key: string) => tensors.get(key) ?? this.frozen.get(key)!;
    const replaced = new Map(
      plan
        .filter(({ frozen }) => !(frozen && this.tookOver))
        .flatMap(({ key, replaces = [] }) => replaces.map(name => [name, tensorOf(key)] as const)),
    );
    return { hooks: attached.hooks(tensorOf, purpose), replaced };
  }

  /** All tensors that `forwardWith` may be given: the trainable ones, and the frozen ones that aren't the model's. */
  get tensors(): ReadonlyMap<string, tf.Tensor> {
    return this.tookOver ? this.variables : new Map<string, tf.Tensor>([...this.variables, ...this.frozen]);
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

  /**
   * Releases the base parameters that this adapter's tensors replace; its frozen ones become the model's. The adapter
   * can't be detached after that.
   */
  takeOver(): void {
    const { replaced } = this.forwardOptions;
    const { tieWordEmbeddings, embedding, head } = this.model.architecture;
    for (const name of replaced.keys()) {
      const headStillReads = tieWordEmbeddings && name === `${embedding}.weight` && !replaced.has(`${head}.weight`);
      if (!headStillReads) this.model.release(name);
    }
    for (const { key, replaces = [], frozen } of this.plan)
      if (frozen) for (const name of replaces) this.model.replace(name, tf.clone(this.frozen.get(key)!));
    this.tookOver = true;
    this.forwardOptions = this.forwardWith(this.variables);
  }

  /** The tensors of an adapter file, by key; the result belongs to the caller. */
  exportTensors(): Map<string, tf.Tensor> {
    const made = this.purpose === 'training' ? this.attached.toAdapterTensors(this.tensorOf) : null;
    if (made) return made;
    const saved = this.plan.filter(({ frozen }) => frozen !== 'recomputed');
    return new Map(saved.map(({ key }) => [key, tf.clone(this.tensorOf(key))]));
  }

  /**
   * The base parameters that the adapter changes, with the adapter merged, by name; null if the method can't be merged. They
   * are computed when they are read, from the tensors of this adapter and the model.
   * @param before those that another adapter has changed: this one is merged on top
   */
  merge(before: ChangedParameters = new Map()): Map<string, ChangedParameter> | null {
    const { replaced } = this.forwardOptions;
    const { architecture } = this.model;
    const earlier = (name: string) => before.get(name) ?? before.get(storedName(architecture, name));
    const base = (name: string) => replaced.get(name) ?? earlier(name)?.tensor() ?? denseOf(this.model.weight(name));
    const merged = this.attached.merge(this.tensorOf, base);
    if (!merged) return null;
    const changed = new Map<string, ChangedParameter>(before);
    // Names of one tensor, such as those of a tied embedding and head, share an entry.
    const whole = new Map([...new Set(replaced.values())].map(tensor => [tensor, changedTo(tensor)]));
    for (const [name, tensor] of replaced) changed.set(name, whole.get(tensor)!);
    const shapes = new Map(architecture.parameters.map(({ name, shape }) => [name, shape]));
    const shapeOf = (name: string) =>
      (replaced.get(name) ?? earlier(name))?.shape ?? shapes.get(storedName(architecture, name))!;
    for (const [name, compute] of merged) changed.set(name, { shape: shapeOf(name), tensor: () => tf.tidy(compute) });
    return changed;
  }

  dispose(): void {
    tf.dispose([...this.variables.values(), ...this.frozen.values()]);
    this.variables.clear();
    this.frozen.clear();
  }

  private allocate(spec: TensorSpec, options: AttachOptions): void {
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
    // Each tensor has its own random stream, so that its initial values don't depend on what else is trained.
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
