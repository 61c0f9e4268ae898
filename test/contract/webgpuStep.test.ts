// Steps on WebGPU, eager and as recorded commands, compared with TensorFlow's: every method, dropout with the same masks.
import { useSoftwareGpu } from '../support/softwareGpu.js';
import { describeCapturedStep } from './capturedStepSuite.js';

useSoftwareGpu();
describeCapturedStep({ backend: 'webgpu', steps: 4, modes: ['captured'] });
