// Replaces a model with many layers by two with fewer: if all layers are equal, or repeat a pattern, a step's figures
// grow by the same amount with each repetition, so that two short traces give those of a long one. Called by
// traceGraph.ts.
import { InputError } from '../../core/inputError.js';
import { sizeOf } from '../models/architecture.js';
import { headsOf } from '../models/causalLm.js';
import type { TensorSpec } from '../peft/method.js';
import type { DescribedBase } from './describedBase.js';
import { baseOf, type EstimatedStep } from './estimatedStep.js';

/** Repetitions in the shorter model: a first, a middle and a last one; the other model has one more. */
const FEW = 3;

/** The same step on two models with fewer layers. */
export interface FewLayers {
  steps: readonly [EstimatedStep, EstimatedStep];
  /** The figures of the whole model, extrapolated from those of the two. */
  continued<Figures extends Record<keyof Figures, number>>(few: Figures, onePeriodMore: Figures): Figures;
}

/**
 * The step on the model's first layers only: FEW repetitions of its pattern plus the remainder at its end, and the same
 * with one more repetition. null if they can't represent the model: it has hardly more layers, its layers repeat no
 * pattern, or the method doesn't treat them equally.
 */
export function fewLayers(step: EstimatedStep): FewLayers | null {
  const { length } = step.attached.architecture.layers;
  const period = periodOf(layerKinds(baseOf(step)));
  const count = FEW * period + (length % period);
  // Two traces with as many layers in total as the model save nothing.
  if (2 * count + period >= length || !changesAlike(step)) return null;
  const continued: FewLayers['continued'] = (few, onePeriodMore) => {
    const more = (length - count) / period;
    const keys = Object.keys(few) as (keyof typeof few)[];
    const figure = (key: keyof typeof few) => few[key] + more * (onePeriodMore[key] - few[key]);
    return Object.fromEntries(keys.map(key => [key, figure(key)])) as typeof few;
  };
  const sizesOf = ({ attached }: EstimatedStep) => sizes(attached.plan('training'));
  const steps = [firstLayers(step, count), firstLayers(step, count + period)] as const;
  try {
    const expected = continued(sizesOf(steps[0]), sizesOf(steps[1]));
    const { tensors, values } = sizesOf(step);
    return tensors === expected.tensors && values === expected.values ? { steps, continued } : null;
  } catch (error) {
    // For example, the config names layers that a short model doesn't have.
    if (!(error instanceof InputError)) throw error;
    return null;
  }
}

function firstLayers(step: EstimatedStep, count: number): EstimatedStep {
  const within = ({ layer }: { layer: number | null }) => layer === null || layer < count;
  const { architecture } = step.attached;
  const { parameters, linears, layers } = architecture;
  const first = {
    ...architecture,
    layers: layers.slice(0, count),
    parameters: parameters.filter(within),
    linears: linears.filter(within),
  };
  return { ...step, attached: step.attached.on(first), heads: headsOf(architecture) };
}

/** A key for each layer, from its data and the layouts of its parameters; equal layers have equal keys. */
function layerKinds({ architecture, layouts }: DescribedBase): string[] {
  const kinds = architecture.layers.map(layer => JSON.stringify(layer));
  for (const { name, layer } of architecture.parameters)
    if (layer !== null) kinds[layer] += JSON.stringify(layouts.get(name) ?? null);
  return kinds;
}

/** The length of the pattern that the layers repeat, up to the last one. */
function periodOf(kinds: readonly string[]): number {
  const repeats = (period: number) => kinds.every((kind, i) => i < period || kind === kinds[i - period]);
  return kinds.findIndex((_, i) => repeats(i + 1)) + 1;
}

/**
 * Whether a method changes the same number of modules in every layer, or in each of a few last layers and none below.
 * Any other border is in the middle of the short models, where peaks don't grow evenly: for SELECTIVE's first three
 * layers one was 26% off.
 */
function changesAlike({ attached }: EstimatedStep): boolean {
  const { linears, parameters, layers } = attached.architecture;
  const numLayers = layers.length;
  const { linear } = attached.placement;
  const replaced = new Set(attached.plan('training').flatMap(({ replaces = [] }) => replaces));
  const changed = [
    ...linears.filter(({ name }) => linear?.has(name)),
    ...parameters.filter(({ name }) => replaced.has(name)),
  ];
  const counts = new Map<number, number>();
  for (const { layer } of changed) if (layer !== null) counts.set(layer, (counts.get(layer) ?? 0) + 1);
  const atTop = [...counts.keys()].every(layer => layer >= numLayers - counts.size);
  return atTop && (counts.size < FEW || counts.size === numLayers) && new Set(counts.values()).size <= 1;
}

function sizes(plan: readonly TensorSpec[]) {
  return { tensors: plan.length, values: plan.reduce((sum, { shape }) => sum + sizeOf(shape), 0) };
}
