// Writes media/schemas, with which editors validate run files, evaluation suites, races and quarantine files, from the engine's schemas. Run by hand after a
// change of an option, and in package.json the setting tunewright.clusters: node extension/scripts/writeSchemas.mjs. A unit test fails if a file is stale.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../bin/tunewright.mjs', import.meta.url));
const folder = new URL('../../media/schemas/', import.meta.url);

/** File -> topic of `describe`. */
const SCHEMAS = {
  'run.schema.json': 'schemas',
  'eval.schema.json': 'suite-schema',
  'race.schema.json': 'race-schema',
  'quarantine.schema.json': 'quarantine-schema',
};

/** The JSON schema that `describe` prints. */
function describe(topic) {
  const { stdout, status } = spawnSync(process.execPath, [program, 'describe', topic], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) process.exit(status ?? 1);
  return stdout;
}

mkdirSync(folder, { recursive: true });
for (const [file, topic] of Object.entries(SCHEMAS)) writeFileSync(new URL(file, folder), describe(topic));

const manifestFile = new URL('../../package.json', import.meta.url);
const manifest = JSON.parse(readFileSync(manifestFile, 'utf8'));
manifest.contributes.configuration.properties['tunewright.clusters'].items = JSON.parse(
  describe('clusters-schema'),
).items;
writeFileSync(manifestFile, `${JSON.stringify(manifest, null, 2)}\n`);
