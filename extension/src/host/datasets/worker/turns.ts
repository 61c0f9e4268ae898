// Yields to other work: long passes await `turn` between pieces, so that a request for the visible rows is answered
// while a gigabyte is being indexed. Used by everything in this folder that loops over rows.

const SLICE_MS = 12;
let sliceEnd = performance.now() + SLICE_MS;

/** Resolves immediately within a time slice, and at its end after all pending work has run. */
export async function turn(): Promise<void> {
  if (performance.now() < sliceEnd) return;
  await new Promise(resolve => setImmediate(resolve));
  sliceEnd = performance.now() + SLICE_MS;
}
