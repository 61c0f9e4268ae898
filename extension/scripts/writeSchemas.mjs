// Writes media/schemas, with which editors validate run files and race files, from the engine's schemas. Run by hand after a change
// of an option: node extension/scripts/writeSchemas.mjs. A unit test fails if the file is stale.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../bin/tunewright.mjs', import.meta.url));
const folder = new URL('../../media/schemas/', import.meta.url);

mkdirSync(folder, { recursive: true });
for (const [topic, name] of [
  ['schemas', 'run.schema.json'],
  ['race-schema', 'race.schema.json'],
]) {
  const { stdout, status } = spawnSync(process.execPath, [program, 'describe', topic], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) process.exit(status ?? 1);
  writeFileSync(new URL(name, folder), stdout);
}
