// Separate from estimateRun.ts so that the bench can read it without TensorFlow.js.

/** Memory of Node and TensorFlow themselves, in addition to a run's tensors. */
export const PROGRAM_BYTES = 0.48e9;
