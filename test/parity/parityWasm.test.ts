// Parity with PyTorch + PEFT on the wasm backend: the same model code, the same cases.
import { describeParity } from './paritySuite.js';

describeParity('wasm', { logits: 2e-4, loss: 1e-4, gradNorm: 1e-3, tensors: 2e-3 });
