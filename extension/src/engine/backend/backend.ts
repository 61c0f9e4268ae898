// What a command computes on, once openBackend has opened it. A type alone, so that every folder may name it.

export interface Backend {
  name: 'tensorflow' | 'wasm';
  /** TensorFlow's version, or that of tfjs-backend-wasm. */
  libraryVersion: string;
  /** What computes, such as `CPU (AMD EPYC)` or `GPU (CUDA)`. */
  device: string;
  threads: number;
}
