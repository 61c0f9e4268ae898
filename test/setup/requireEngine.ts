// Runs once before the tests: stops if TensorFlow is not installed, since half of the tests need it.
import { findInstallation } from '../../extension/src/engine/install/installation.js';

export async function setup(): Promise<void> {
  if ((await findInstallation()) === null)
    throw new Error('the engine is not installed; `npm test` does that, or: npm run -s tunewright -- engine install');
}
