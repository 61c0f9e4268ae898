// Runs reference.ts. Started by exports.mjs.
import { runBundled } from '../support/runBundled.mjs';

await runBundled(new URL('reference.ts', import.meta.url));
