// Parity with PyTorch + PEFT on WebGPU: the same model code, the same cases, on whatever GPU there is.
import { testsAll } from '../support/matrix.js';
import { useSoftwareGpu } from '../support/softwareGpu.js';
import { describeParity } from './paritySuite.js';

useSoftwareGpu();
// A step takes seconds on a software GPU: one case of each kind, of two models.
const SOME = ['gpt2/selective-embeddings', 'llama-tied/lora-dora'];

describeParity(
  'webgpu',
  { logits: 1e-4, loss: 1e-5, gradNorm: 1e-4, tensors: 1e-4 },
  (model, name) => testsAll || SOME.includes(`${model}/${name}`),
);
