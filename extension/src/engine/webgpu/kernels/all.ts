// All kernels of the WebGPU backend beyond tfjs's own. Called once, by backend/webgpuBackend.ts.
import { registerAdamW } from './adamW.js';
import { registerBlocks } from './blocks.js';
import { replaceKernels } from './replaced.js';
import { registerStatelessUniform } from './statelessUniform.js';
import { registerWriteRows } from './writeRows.js';

export function registerKernels(): void {
  replaceKernels();
  registerAdamW();
  registerBlocks();
  registerStatelessUniform();
  registerWriteRows();
}
