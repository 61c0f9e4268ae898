// Settings that people have from earlier versions (test/fixtures/settings, a file per version) still mean something: each is a setting
// of this version that takes the value, or says by a deprecation message what to use instead.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const fixtures = join(root, 'test/fixtures/settings');
const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'));

type Setting = Record<string, unknown>;
const groups = [json(join(root, 'package.json')).contributes.configuration].flat() as {
  properties: Record<string, Setting>;
}[];
const settings: Record<string, Setting> = Object.assign({}, ...groups.map(({ properties }) => properties));

describe.each(readdirSync(fixtures))('%s', file => {
  it.each(Object.entries<unknown>(json(join(fixtures, file))))('%s', (name, value) => {
    const setting = settings[name];
    expect(setting, name).toBeDefined();
    if ('deprecationMessage' in setting! || 'markdownDeprecationMessage' in setting!) return;
    const { type, enum: values, minimum, maximum } = setting as Setting;
    const schema = Object.fromEntries(
      Object.entries({ type, enum: values, minimum, maximum }).filter(([, each]) => each !== undefined),
    );
    expect(new Ajv().validate(schema, value), JSON.stringify(schema)).toBe(true);
  });
});

it('has the settings of this version in its newest file', () => {
  const newest = readdirSync(fixtures).sort().at(-1)!;
  expect(Object.keys(json(join(fixtures, newest))).sort()).toEqual(Object.keys(settings).sort());
});
