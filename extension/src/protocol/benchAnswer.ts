// The answer of `engine bench --json`.

export interface BenchRow {
  id: string;
  /** null if it couldn't be measured. */
  value: number | null;
  unit: string;
  /** Median time of a product, step or token. */
  seconds: number;
  /** Allocated on the device after the measurement; of the process on a CPU. */
  bytes: number;
  /** Why there is no value. */
  problem: string | null;
}

export interface BenchAnswer {
  backend: string;
  library: string;
  device: string;
  /** YYYY-MM-DD */
  date: string;
  /** Largest relative difference of ten steps' losses from the known ones. */
  difference: number;
  rows: BenchRow[];
}
