// What two descriptions of a model compute differently. Called after a model was written in another format, where a key that the
// format doesn't have would silently change the model.
import { canonicalActivation } from './activations.js';
import type { Architecture } from './architecture.js';

/** Relative difference of numbers that a format stores in float32. */
const FLOAT32 = 1e-6;

/** The first difference that changes results, such as `layers.3.attention.window: 32, then null`; null if there is none. */
export function differenceOf(before: Architecture, after: Architecture): string | null {
  const [own, other] = [before, after].map(withoutSynonyms);
  for (const key of ['layers', 'finalNorm', 'maxPositions', 'tieWordEmbeddings', 'positionEmbedding'] as const) {
    const difference = differenceBetween(own[key], other[key], key);
    if (difference) return difference;
  }
  return null;
}

/** With one name for what is computed alike. */
function withoutSynonyms(architecture: Architecture): Architecture {
  const layers = architecture.layers.map(layer => {
    const { attention, mlp } = layer;
    const window = attention.window !== null && attention.window < architecture.maxPositions ? attention.window : null;
    return {
      ...layer,
      attention: { ...attention, window },
      mlp: { ...mlp, activation: canonicalActivation(mlp.activation) },
    };
  });
  return { ...architecture, layers };
}

function differenceBetween(before: unknown, after: unknown, path: string): string | null {
  if (before === after || (typeof before === 'number' && typeof after === 'number' && isClose(before, after)))
    return null;
  if (typeof before !== 'object' || typeof after !== 'object' || before === null || after === null)
    return `${path}: ${String(before)}, then ${String(after)}`;
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [own, other] = [before, after].map(value => (value as Record<string, unknown>)[key]);
    const difference = differenceBetween(own, other, `${path}.${key}`);
    if (difference) return difference;
  }
  return null;
}

function isClose(a: number, b: number): boolean {
  return Math.abs(a - b) <= FLOAT32 * Math.max(Math.abs(a), Math.abs(b));
}
