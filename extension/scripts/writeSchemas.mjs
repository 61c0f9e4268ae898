// Writes media/schemas/run.schema.json, with which editors validate run files, from the engine's schemas. Run by hand after a change
// of an option: node extension/scripts/writeSchemas.mjs. A unit test fails if the file is stale.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../bin/tunewright.mjs', import.meta.url));
const folder = new URL('../../media/schemas/', import.meta.url);

const { stdout, status } = spawnSync(process.execPath, [program, 'describe', 'schemas'], {
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'inherit'],
});
if (status !== 0) process.exit(status ?? 1);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('run.schema.json', folder), stdout);
