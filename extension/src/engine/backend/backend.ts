// The opened backend of a command. Only a type, so that every folder may import it.

export interface Backend {
  name: 'tensorflow' | 'webgpu' | 'wasm';
  /** TensorFlow's version, or that of tfjs's backend. */
  libraryVersion: string;
  /** Such as `CPU (AMD EPYC)`, `GPU (CUDA)` or `GPU (Apple M2, metal)`. */
  device: string;
  threads: number;
}
