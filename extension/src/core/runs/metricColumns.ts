// Numbers of a run by step, one typed array per metric. Immutable to its readers, yet appending to the latest version is in
// place, so that a hundred thousand steps are not copied. Built by runState.ts only.

/** Rows of `Keys`; `column(key)` has `length` entries. */
export class MetricColumns<Keys extends string> {
  private constructor(
    readonly keys: readonly Keys[],
    private readonly storage: { columns: Record<Keys, Float64Array>; used: number; capacity: number },
    readonly length: number,
  ) {}

  static empty<Keys extends string>(keys: readonly Keys[]): MetricColumns<Keys> {
    return new MetricColumns(keys, { columns: allocate(keys, 0), used: 0, capacity: 0 }, 0);
  }

  append(row: Readonly<Record<Keys, number>>): MetricColumns<Keys> {
    // A later version may already have written to the free space.
    const inPlace = this.storage.used === this.length && this.length < this.storage.capacity;
    const storage = inPlace ? this.storage : this.copied(Math.max(64, 2 * this.length));
    for (const key of this.keys) storage.columns[key][this.length] = row[key] ?? NaN;
    storage.used = this.length + 1;
    return new MetricColumns(this.keys, storage, this.length + 1);
  }

  /** The first `length` rows. */
  truncate(length: number): MetricColumns<Keys> {
    return length >= this.length ? this : new MetricColumns(this.keys, this.storage, length);
  }

  /** A view, not a copy. */
  column(key: Keys, from = 0): Float64Array {
    return this.storage.columns[key].subarray(from, this.length);
  }

  row(index: number): Record<Keys, number> | undefined {
    if (index < 0 || index >= this.length) return undefined;
    return Object.fromEntries(this.keys.map(key => [key, this.storage.columns[key][index]!])) as Record<Keys, number>;
  }

  private copied(capacity: number): { columns: Record<Keys, Float64Array>; used: number; capacity: number } {
    const columns = allocate(this.keys, capacity);
    for (const key of this.keys) columns[key].set(this.column(key));
    return { columns, used: this.length, capacity };
  }
}

function allocate<Keys extends string>(keys: readonly Keys[], capacity: number): Record<Keys, Float64Array> {
  return Object.fromEntries(keys.map(key => [key, new Float64Array(capacity)])) as Record<Keys, Float64Array>;
}
