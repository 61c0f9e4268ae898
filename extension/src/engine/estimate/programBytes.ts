// Apart from estimateRun.ts so that the bench can read it without TensorFlow.js.

/** What Node and TensorFlow take themselves, beside a run's tensors. */
export const PROGRAM_BYTES = 0.48e9;
