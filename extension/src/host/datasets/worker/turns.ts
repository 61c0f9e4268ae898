// Gives other work its turn: the worker's long passes await this between pieces, so that a request for the visible rows is
// answered in the middle of indexing a gigabyte. Used by everything in this folder that loops over rows.

const sliceMs = 12;
let sliceEnd = performance.now() + sliceMs;

/** Resolves at once within a slice; at its end only after everything that waits has run. */
export async function turn(): Promise<void> {
  if (performance.now() < sliceEnd) return;
  await new Promise(resolve => setImmediate(resolve));
  sliceEnd = performance.now() + sliceMs;
}
