// The output of the frozen lower layers, computed once per example and reused in later epochs, since it never changes.
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
   * Micro-batches in which missing rows are computed. They must not depend on the order of training: the last bits of a
   * product depend on the other rows in it, and a resumed run, which starts without kept states, must get the same
   * values.
   */
  groups: readonly MicroBatchPlan[];
  /** The frozen layers' output for a batch, [batch * seq, width]. */
  compute(batch: Batch): Promise<Float32Array>;
}

export class FrozenStates {
  private readonly groupOf = new Map<number, MicroBatchPlan>();

  constructor(private readonly options: FrozenStatesOptions) {
    for (const group of options.groups) for (const row of group.sequences.flat()) this.groupOf.set(row, group);
  }

  /**
   * The batch with the input of the lowest trained layer; zeros for padding.
   * @throws if the disk is full
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

/** The position of each row's first token in its batch. No virtual tokens: with them, no layer is frozen. */
function* placesOf(plan: MicroBatchPlan, sequenceLength: number, { dataset }: RowSet) {
  for (const [i, sequence] of plan.sequences.entries()) {
    let start = i * sequenceLength;
    for (const row of sequence) {
      yield { row, start };
      start += dataset.lengthOf(row);
    }
  }
}
