// `npm run soak`: the long run of test/integration/longRun.test.ts at its full length.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
const { status } = spawnSync(process.execPath, [vitest, 'run', 'test/integration/longRun.test.ts'], {
  env: { ...process.env, TUNEWRIGHT_SOAK_STEPS: '10000' },
  stdio: 'inherit',
});
process.exit(status ?? 1);
