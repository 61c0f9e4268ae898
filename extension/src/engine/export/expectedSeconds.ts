// How long an export is expected to take, from the time that its smallest tensor of each kind takes to make. Called by the plans of
// export targets.
import type { SavedAdapter } from '../peft/adapterFiles.js';

/** A tensor that will be written. */
export interface Sampled {
  /** Tensors of one kind take the same time for a byte. */
  kind: string;
  bytes: number;
  /** Makes it without writing it. */
  make(): Promise<unknown>;
}

/** Code runs slower at first. */
const TRIES = 3;

export async function expectedSeconds(work: readonly Sampled[]): Promise<number> {
  let seconds = 0;
  for (const kind of new Set(work.map(each => each.kind))) {
    const alike = work.filter(each => each.kind === kind);
    const [sample] = alike.toSorted((a, b) => a.bytes - b.bytes) as [Sampled];
    let best = Infinity;
    for (let i = 0; i < TRIES; i++) {
      const start = performance.now();
      await sample.make();
      best = Math.min(best, (performance.now() - start) / 1000);
    }
    seconds += (best * alike.reduce((sum, { bytes }) => sum + bytes, 0)) / Math.max(1, sample.bytes);
  }
  return seconds;
}

/** For an adapter alone, whose tensors are written as they are read. */
export function secondsToRead({ tensors }: SavedAdapter): Promise<number> {
  const work = [...tensors.values()].map(tensor => ({
    kind: tensor.dtype,
    bytes: tensor.byteLength,
    make: async () => tensor.readFloat32(),
  }));
  return expectedSeconds(work);
}
