// Steps on WebGPU, eager and as recorded commands, compared with TensorFlow's: every method, dropout with the same masks.
import { useSoftwareGpu } from '../support/softwareGpu.js';
import { testsAll } from '../support/matrix.js';
import { describeCapturedStep } from './capturedStepSuite.js';

useSoftwareGpu();
// A step takes seconds on a software GPU.
describeCapturedStep({
  backend: 'webgpu',
  steps: 3,
  modes: ['captured'],
  some: (_, i) => testsAll || i % 4 === 1,
});
