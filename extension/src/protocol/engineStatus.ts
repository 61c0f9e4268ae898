// The answer of `engine status --json`, as far as the editor uses it.

export interface EngineStatusAnswer {
  /** Null if no library is installed. */
  installation: { libraryVersion: string; source: string; gpu: boolean } | null;
  /** The backend of a run with `"backend": "auto"`. */
  backend: { name: string; libraryVersion: string; device: string; threads: number };
  machine: { cores: number; memoryBytes: number; availableMemoryBytes: number; gpus: string[] };
  /** How to fix what is missing; empty if nothing is. */
  advice: string[];
}
