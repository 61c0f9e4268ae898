// The captured step on TensorFlow: capturedStepSuite.ts.
import { describeCapturedStep } from './capturedStepSuite.js';

describeCapturedStep({ backend: 'tensorflow', steps: 20 });
