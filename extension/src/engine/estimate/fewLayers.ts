// Stands for a model of many layers by two of its first ones: where all layers are alike, what a step takes grows by the
// same amount with each, so that two short traces say what a long one would. Called by traceGraph.ts.
import { InputError } from '../../core/inputError.js';
import { sizeOf } from '../models/architecture.js';
import type { TrainableSpec } from '../peft/method.js';
import type { DescribedBase } from './describedBase.js';
import { baseOf, type EstimatedStep } from './estimatedStep.js';

/** Layers of the shorter model: a first one, a last one and one between; the other has one more. */
const FEW = 3;

/**
 * The model with its first layers only, one time FEW, one time another; null where they don't stand for it: it has hardly
 * more, they are not alike, or the method doesn't treat them alike.
 */
export function fewLayers(step: EstimatedStep): readonly [EstimatedStep, EstimatedStep] | null {
  const base = baseOf(step);
  if (base.architecture.numLayers <= 2 * FEW + 1 || !layersAlike(base)) return null;
  const planOf = ({ attached }: EstimatedStep) => attached.plan('training');
  const plan = planOf(step);
  if (!changesAlike(step)) return null;
  const few = [firstLayers(step, FEW), firstLayers(step, FEW + 1)] as const;
  try {
    const expected = byLayers(sizes(planOf(few[0])), sizes(planOf(few[1])), base);
    const { tensors, values } = sizes(plan);
    return tensors === expected.tensors && values === expected.values ? few : null;
  } catch (error) {
    // Layers that the config names, say, and a short model doesn't have.
    if (!(error instanceof InputError)) throw error;
    return null;
  }
}

/** A figure of the whole model, from those of the two short ones. */
export function byLayers<Figures extends Record<keyof Figures, number>>(
  few: Figures,
  oneMore: Figures,
  { architecture }: DescribedBase,
): Figures {
  const more = architecture.numLayers - FEW;
  const figure = (key: keyof Figures) => few[key] + more * (oneMore[key] - few[key]);
  return Object.fromEntries(Object.keys(few).map(key => [key, figure(key as keyof Figures)])) as Figures;
}

function firstLayers(step: EstimatedStep, count: number): EstimatedStep {
  const within = ({ layer }: { layer: number | null }) => layer === null || layer < count;
  const { architecture } = step.attached;
  const { parameters, linears, numLayers } = architecture;
  const first = {
    ...architecture,
    numLayers: count,
    parameters: parameters.filter(within),
    linears: linears.filter(within),
  };
  return { ...step, attached: step.attached.on(first), standsFor: numLayers };
}

/** Whether the parameters of each layer have the same shapes and are held the same way. */
function layersAlike({ architecture, layouts }: DescribedBase): boolean {
  const layers: string[] = [];
  for (const { name, shape, layer } of architecture.parameters)
    if (layer !== null) layers[layer] = `${layers[layer] ?? ''} ${JSON.stringify([shape, layouts.get(name)])}`;
  return new Set(layers).size === 1;
}

/**
 * Whether a method changes as much in each layer, or in each of a few last ones and nothing below. A border elsewhere
 * lies in the middle of the short models, where peaks don't grow evenly: for SELECTIVE's first three layers one was 26% off.
 */
function changesAlike({ attached }: EstimatedStep): boolean {
  const { linears, parameters, numLayers } = attached.architecture;
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

function sizes(plan: readonly TrainableSpec[]) {
  return { tensors: plan.length, values: plan.reduce((sum, { shape }) => sum + sizeOf(shape), 0) };
}
