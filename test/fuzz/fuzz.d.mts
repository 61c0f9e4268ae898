// Types of fuzz.mjs for its test.
export interface Fault {
  n: number;
  reader: string;
  file: string;
  message: string;
}

export interface FuzzCounts {
  inputs: number;
  /** By reader. */
  read: Record<string, number>;
  refused: Record<string, number>;
  faults: number;
}

export function fuzz(options: {
  count: number;
  seed: number;
  /** Text that the names of the readers have. */
  only?: string;
  onFault(fault: Fault): void;
  onProgress?(counts: FuzzCounts): void;
}): Promise<FuzzCounts>;
