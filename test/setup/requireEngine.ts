// Runs once before the tests: without the TensorFlow library half of them would test nothing, so say so and stop.
import { findInstallation } from '../../extension/src/engine/install/installation.js';

export async function setup(): Promise<void> {
  if ((await findInstallation()) === null)
    throw new Error('the engine is not installed; `npm test` does that, or: npm run -s tunewright -- engine install');
}
