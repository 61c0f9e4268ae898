// Parity with PyTorch + PEFT on TensorFlow, to the tolerances that the project promises.
import { describeParity } from './paritySuite.js';

describeParity('tensorflow', { logits: 1e-4, loss: 1e-4, gradNorm: 1e-3, tensors: 1e-3 });
