// Groups the tensors of many blocks under one name: `model.layers.{0-29}.mlp.up_proj.weight`. Called by the descriptions of models
// and adapters.
import { sizeOf } from '../models/architecture.js';

export interface TensorGroup {
  /** With the block numbers in braces if there is more than one. */
  name: string;
  shape: readonly number[];
  dtype: string;
  /** Number of tensors. */
  count: number;
  /** Number of values in all of them. */
  parameters: number;
}

interface Tensor {
  name: string;
  shape: readonly number[];
  dtype: string;
}

/** Groups tensors that differ only by their block number, in order of first appearance. */
export function collapseLayers(tensors: Iterable<Tensor>): TensorGroup[] {
  const groups = new Map<string, { tensor: Tensor; layers: number[]; count: number }>();
  for (const tensor of tensors) {
    const layer = /\.(\d+)\./.exec(tensor.name)?.[1];
    const pattern = tensor.name.replace(/\.\d+\./, '.{}.');
    const key = `${pattern} ${tensor.shape.join('x')} ${tensor.dtype}`;
    const group = groups.get(key) ?? { tensor, layers: [], count: 0 };
    group.count++;
    if (layer !== undefined) group.layers.push(Number(layer));
    groups.set(key, group);
  }
  return [...groups.values()].map(({ tensor, layers, count }) => ({
    name: count === 1 ? tensor.name : tensor.name.replace(/\.\d+\./, `.{${ranges(layers)}}.`),
    shape: tensor.shape,
    dtype: tensor.dtype,
    count,
    parameters: count * sizeOf(tensor.shape),
  }));
}

/** `0-3,7` */
function ranges(numbers: readonly number[]): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const found: [first: number, last: number][] = [];
  for (const number of sorted) {
    const open = found.at(-1);
    if (open && number === open[1] + 1) open[1] = number;
    else found.push([number, number]);
  }
  return found.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}
