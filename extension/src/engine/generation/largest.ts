// The largest values of a long list, without sorting it: of a vocabulary's logits for top_k and the alternatives of a token.

/** Indices of the `count` largest values, largest first, of equal ones the first. */
export function largest(values: Float32Array, count: number): number[] {
  if (count >= values.length) return ranked(values, [...values.keys()]);
  // A heap whose root is the smallest of those kept.
  const heap: number[] = [];
  const isBelow = (a: number, b: number) => values[a]! < values[b]! || (values[a] === values[b] && a > b);
  const sink = (from: number) => {
    for (let at = from; ;) {
      let least = 2 * at + 1;
      if (least >= heap.length) return;
      if (least + 1 < heap.length && isBelow(heap[least + 1]!, heap[least]!)) least++;
      if (isBelow(heap[at]!, heap[least]!)) return;
      [heap[at], heap[least]] = [heap[least]!, heap[at]!];
      at = least;
    }
  };
  for (let i = 0; i < count; i++) heap.push(i);
  for (let i = (count >> 1) - 1; i >= 0; i--) sink(i);
  for (let i = count; count > 0 && i < values.length; i++) {
    if (!isBelow(heap[0]!, i)) continue;
    heap[0] = i;
    sink(0);
  }
  return ranked(values, heap);
}

function ranked(values: Float32Array, indices: number[]): number[] {
  return indices.sort((a, b) => values[b]! - values[a]! || a - b);
}
