// What the frozen lower layers give, computed once an example and used again in later epochs: they do the same each time.
// Kept by example, so that packing and order may change from epoch to epoch. Called by the trainer; owns its store.
import { makeBatch, type MicroBatchPlan } from '../data/batches.js';
import type { Batch } from '../data/batch.js';
import type { HiddenStateStore } from './hiddenStateStore.js';
import type { RunShape } from './runShape.js';
import type { RowSet } from './stepPlan.js';

export interface FrozenStatesOptions {
  rows: RowSet;
  shape: RunShape;
  /** Hidden size of the model. */
  width: number;
  store: HiddenStateStore;
  /**
   * Micro-batches in which missing rows are computed. They must not follow from the order of training: the last bits of a
   * product depend on what else it multiplies, and a resumed run, which starts with nothing kept, has to get the same.
   */
  groups: readonly MicroBatchPlan[];
  /** What the frozen layers give for a batch, [batch * seq, width]. */
  compute(batch: Batch): Promise<Float32Array>;
}

export class FrozenStates {
  private readonly groupOf = new Map<number, MicroBatchPlan>();

  constructor(private readonly options: FrozenStatesOptions) {
    for (const group of options.groups) for (const row of group.sequences.flat()) this.groupOf.set(row, group);
  }

  /**
   * The batch with what its lowest trained layer reads; zeros where it is padded.
   * @throws where the store's disk is full
   */
  async addTo(batch: Batch, plan: MicroBatchPlan): Promise<Batch> {
    const { width, store, rows } = this.options;
    for (const row of plan.sequences.flat()) if (!store.has(row)) await this.computeGroup(this.groupOf.get(row)!);
    const states = new Float32Array(batch.batchSize * batch.sequenceLength * width);
    for (const { row, start } of placesOf(plan, batch.sequenceLength, rows))
      store.read(row, states.subarray(start * width, (start + rows.dataset.lengthOf(row)) * width));
    return { ...batch, states };
  }

  private async computeGroup(group: MicroBatchPlan): Promise<void> {
    const { rows, shape, width, store, compute } = this.options;
    const batch = makeBatch(group, rows.dataset, shape);
    const states = await compute(batch);
    for (const { row, start } of placesOf(group, batch.sequenceLength, rows))
      store.put(row, states.slice(start * width, (start + rows.dataset.lengthOf(row)) * width));
  }

  close(): void {
    this.options.store.close();
  }
}

/** Where each row of a plan begins among the tokens of its batch. There are no virtual tokens: they would change the input. */
function* placesOf(plan: MicroBatchPlan, sequenceLength: number, { dataset }: RowSet) {
  for (const [i, sequence] of plan.sequences.entries()) {
    let start = i * sequenceLength;
    for (const row of sequence) {
      yield { row, start };
      start += dataset.lengthOf(row);
    }
  }
}
