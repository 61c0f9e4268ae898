// Parity with PyTorch + PEFT on WebGPU: the same model code, the same cases, on whatever GPU there is.
import { useSoftwareGpu } from '../support/softwareGpu.js';
import { describeParity } from './paritySuite.js';

useSoftwareGpu();
describeParity('webgpu', { logits: 2e-4, loss: 1e-4, gradNorm: 1e-3, tensors: 2e-3 });
