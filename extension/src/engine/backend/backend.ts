// The opened backend of a command. Only a type, so that every folder may import it.

export interface Backend {
  name: 'tensorflow' | 'wasm';
  /** TensorFlow's version, or that of tfjs-backend-wasm. */
  libraryVersion: string;
  /** Such as `CPU (AMD EPYC)` or `GPU (CUDA)`. */
  device: string;
  threads: number;
}
