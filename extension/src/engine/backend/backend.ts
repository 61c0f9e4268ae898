// The opened backend of a command. Without the libraries themselves, so that every folder may import it.

export interface Backend {
  name: 'tensorflow' | 'webgpu' | 'wasm';
  /** TensorFlow's version, or that of tfjs's backend. */
  libraryVersion: string;
  /** Such as `CPU (AMD EPYC)`, `GPU (CUDA)` or `GPU (Apple M2, metal)`; one that computes on the CPU is a `software GPU`. */
  device: string;
  threads: number;
  /** Why `auto` took it, where it had a choice. */
  reason?: string;
}

/** Whether the backend can capture a step, and compute with weights in few bits; wasm has neither. */
export function isFull({ name }: Pick<Backend, 'name'>): boolean {
  return name !== 'wasm';
}
