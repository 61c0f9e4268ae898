// The committed JSON schema of the race file is the one that the schemas and the registry produce.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { JsonSchema } from '../../../../extension/src/core/forms/jsonSchema.js';
import { peftMethods } from '../../../../extension/src/engine/peft/registry.js';
import { raceFileJsonSchema } from '../../../../extension/src/engine/race/raceFileSchema.js';

test('media/schemas/race.schema.json is up to date', () => {
  const committed = JSON.parse(readFileSync('media/schemas/race.schema.json', 'utf8'));
  expect(committed, 'stale: run node extension/scripts/writeSchemas.mjs').toEqual(
    JSON.parse(JSON.stringify(raceFileJsonSchema())),
  );
});

test('every key has a title and a description', () => {
  const { properties } = raceFileJsonSchema();
  const entry = properties!['vary']!.items!.properties!;
  const grid = entry['grid']!.properties!;
  for (const [at, keys] of Object.entries({
    race: properties!,
    entry,
    grid,
    budget: properties!['budget']!.properties!,
  }))
    for (const [key, { title, description }] of Object.entries(keys)) {
      if (key === '$schema') continue;
      expect(title, `${at} ${key}`).toMatch(/\w/);
      expect(description, `${at} ${key}`).toMatch(/\w/);
    }
});

test('an entry may have the options of each method, and a grid the keys of all', () => {
  const { method, grid } = raceFileJsonSchema().properties!['vary']!.items!.properties!;
  expect(method!.anyOf!.map(block => block.properties!['peft_type']!.const)).toEqual(peftMethods.map(m => m.peftType));
  for (const block of method!.anyOf!) expect(block.required, block.title).toBeUndefined();
  for (const key of ['method.r', 'method.num_virtual_tokens', 'training.learning_rate'])
    expect(grid!.properties![key], key).toMatchObject<JsonSchema>({ type: 'array', minItems: 1 });
});
