// The committed JSON schema of the run file is the one that the schemas and the registry produce.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { JsonSchema } from '../../../../extension/src/core/forms/jsonSchema.js';
import { peftMethods } from '../../../../extension/src/engine/peft/registry.js';
import { runFileJsonSchema } from '../../../../extension/src/engine/run/runFileSchema.js';

test('media/schemas/run.schema.json is up to date', () => {
  const committed = JSON.parse(readFileSync('media/schemas/run.schema.json', 'utf8'));
  expect(committed, 'stale: run node extension/scripts/writeSchemas.mjs').toEqual(
    JSON.parse(JSON.stringify(runFileJsonSchema())),
  );
});

test('every key has a title and a description, for the form and for the editor', () => {
  const check = (at: string, { properties = {} }: JsonSchema) => {
    for (const [key, schema] of Object.entries(properties)) {
      if (key === '$schema') continue;
      expect(schema.title, `${at}${key}`).toMatch(/\w/);
      expect(schema.description, `${at}${key}`).toMatch(/\w/);
      check(`${at}${key}.`, schema);
      for (const method of schema.oneOf ?? []) check(`${at}${method.title}.`, method);
    }
  };
  check('', runFileJsonSchema());
});

test('no two fields of a form have the same title', () => {
  const check = (at: string, { properties = {} }: JsonSchema) => {
    const titles = Object.values(properties).flatMap(({ title }) => title ?? []);
    expect(
      titles.filter((title, i) => titles.indexOf(title) !== i),
      at,
    ).toEqual([]);
    for (const [key, schema] of Object.entries(properties))
      for (const inner of [schema, ...(schema.oneOf ?? [])]) check(`${at}.${key}`, inner);
  };
  check('run', runFileJsonSchema());
});

test('each method has its own strict block, with init_from', () => {
  const { oneOf } = runFileJsonSchema().properties!['method']!;
  expect(oneOf!.map(block => block.properties!['peft_type']!.const)).toEqual(peftMethods.map(m => m.peftType));
  for (const block of oneOf!) {
    expect(block.additionalProperties).toBe(false);
    expect(block.required).toEqual(['peft_type']);
    expect(block.properties).toHaveProperty('init_from');
  }
});
