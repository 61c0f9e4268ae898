import { afterAll, beforeAll, expect, it } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { tenSteps } from '../../../../extension/src/engine/bench/tenSteps.js';
import type { CausalLm } from '../../../../extension/src/engine/models/causalLm.js';
import { loadModel } from '../../../../extension/src/engine/models/loadModel.js';
import { openModelFiles } from '../../../../extension/src/engine/run/openModel.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';

let model: CausalLm;
beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
  const { files } = await openModelFiles('embedded:tiny', '.', silentReporter);
  model = loadModel(files);
  files.close();
});
afterAll(() => model.dispose());

it('the stored losses are those of TensorFlow on a CPU', async () => {
  const { losses, difference } = await tenSteps(model);
  expect(difference, `losses are ${losses.join(', ')}`).toBeLessThan(1e-5);
});
