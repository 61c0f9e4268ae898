// `npm test`: sets up, checks formatting, layers and types, then runs every test. Arguments go to vitest.
import { join } from 'node:path';
import { root, run, setUp } from './setUp.mjs';

setUp();
const bin = name => join(root, 'node_modules', name);
const node = (script, ...args) => run(process.execPath, [bin(script), ...args]);
node('prettier/bin/prettier.cjs', '--check', '--log-level=warn', '.');
node('oxlint/bin/oxlint', '--deny-warnings');
node('typescript/bin/tsc', '-p', '.');
node('vitest/vitest.mjs', 'run', ...process.argv.slice(2));
