// The committed JSON schema of the race file is the one that the schemas and the registry produce.
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import type { JsonSchema } from '../../../../extension/src/core/forms/jsonSchema.js';
import { expandRace } from '../../../../extension/src/core/race/expandRace.js';
import { peftMethods } from '../../../../extension/src/engine/peft/registry.js';
import { readRaceFile } from '../../../../extension/src/engine/race/planRace.js';
import { raceFileJsonSchema } from '../../../../extension/src/engine/race/raceFileSchema.js';
import { raceConfigSchema } from '../../../../extension/src/protocol/raceConfig.js';

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

describe('an editor', () => {
  const validate = new Ajv({ strict: false }).compile(raceFileJsonSchema());
  const entries = (...vary: unknown[]) => ({ run: 'a.tune.json', vary });

  test.each([
    ['the example', JSON.parse(readFileSync('media/examples/methods.race.json', 'utf8'))],
    ['options of the run file’s method', entries({ method: { r: 4 } }, { training: { learning_rate: 1e-3 } })],
    ['a grid of lists', entries({ grid: { 'method.target_modules': ['all-linear', ['q_proj']] } })],
    ['seeds and budget', { ...entries({}), seeds: [1, 2], budget: { minutes: 0.5 } }],
  ])('accepts %s', (_, race) => {
    expect(validate(race), JSON.stringify(validate.errors)).toBe(true);
    expect(raceConfigSchema.safeParse(race).success).toBe(true);
  });

  test.each([
    ['an unknown key', { ...entries({}), seed: 1 }],
    ['an unknown option of a method', entries({ method: { peft_type: 'LORA', rank: 4 } })],
    ['an option of another method', entries({ method: { peft_type: 'LORA', num_virtual_tokens: 4 } })],
    ['an unknown key of the training', entries({ training: { learning_rates: 1 } })],
    ['a grid of no block', entries({ grid: { r: [1] } })],
    ['a run without a model', { ...entries({}), run: { method: { peft_type: 'LORA' } } }],
    ['no entry', entries()],
  ])('marks %s', (_, race) => {
    expect(validate(race)).toBe(false);
  });
});

test('the example has five entries, each with two seeds', () => {
  const { race, path } = readRaceFile('media/examples/methods.race.json');
  const all = expandRace(race, race.run, path);
  expect(all.map(({ name, seed }) => `${name} ${seed}`)).toEqual(
    ['LORA r=1', 'LORA r=4', 'LORA r=16', 'prompt tuning', 'full fine-tuning'].flatMap(name => [
      `${name} 1`,
      `${name} 2`,
    ]),
  );
});
