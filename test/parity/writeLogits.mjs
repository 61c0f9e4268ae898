// Runs writeLogits.ts. Called by check_adapter.py, which has started the engine once before.
import { runBundled } from '../support/runBundled.mjs';

await runBundled(new URL('writeLogits.ts', import.meta.url));
