// All kernels of the WebGPU backend beyond tfjs's own. Called once, by backend/webgpuBackend.ts.
import { registerActivations } from './activation.js';
import { registerAdamW } from './adamW.js';
import { registerAttention } from './attention.js';
import { registerBlocks } from './blocks.js';
import { registerCrossEntropy } from './crossEntropy.js';
import { registerGatherGradient } from './gatherGradient.js';
import { registerGlobalNorm } from './globalNorm.js';
import { registerNorms } from './norms.js';
import { registerProduct } from './product.js';
import { replaceKernels } from './replaced.js';
import { registerRotation } from './rotation.js';
import { registerStatelessUniform } from './statelessUniform.js';
import { registerWriteRows } from './writeRows.js';

export function registerKernels(): void {
  replaceKernels();
  registerActivations();
  registerAdamW();
  registerAttention();
  registerBlocks();
  registerCrossEntropy();
  registerGatherGradient();
  registerGlobalNorm();
  registerNorms();
  registerProduct();
  registerRotation();
  registerStatelessUniform();
  registerWriteRows();
}
