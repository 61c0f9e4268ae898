// `npm run faults [-- count seed group...]`: see faults.ts.
import { runBundled } from '../support/runBundled.mjs';

await runBundled(new URL('faults.ts', import.meta.url));
