// All kernels of the WebGPU backend beyond tfjs's own. Called once, by backend/webgpuBackend.ts.
import { registerAdamW } from './adamW.js';
import { replaceKernels } from './replaced.js';

export function registerKernels(): void {
  replaceKernels();
  registerAdamW();
}
