// The answer of `engine status --json`, as far as the editor uses it.

/** A GPU that WebGPU can use. */
export interface GpuAdapter {
  /** Of the list; what `engine.adapter` may be, like `name`. */
  index: number;
  name: string;
  /** The driver's interface: `vulkan`, `metal` or `d3d12`. */
  backend: string;
  /** `software` computes on the CPU and is for tests. */
  type: 'gpu' | 'software';
  driver: string;
  /** Bytes and counts, as WebGPU names them. */
  limits: Record<string, number>;
  /** Those that the engine uses. */
  features: string[];
}

export interface EngineStatusAnswer {
  /** Null if no library is installed. */
  installation: { libraryVersion: string; source: string; gpu: boolean } | null;
  webgpu: {
    /** Whether there may be a GPU, as far as the system says; only a driver knows. */
    possible: boolean;
    /** Dawn's version; null if it isn't installed. */
    libraryVersion: string | null;
    /** All GPUs with a driver, software included; empty if they can't be listed. */
    adapters: GpuAdapter[];
    /** Why they can't be listed; null if they are. */
    problem: string | null;
  };
  /** The backend of a run with `"backend": "auto"`. */
  backend: { name: string; libraryVersion: string; device: string; threads: number };
  machine: { cores: number; memoryBytes: number; availableMemoryBytes: number; gpus: string[] };
  /** How to fix what is missing; empty if nothing is. */
  advice: string[];
}
