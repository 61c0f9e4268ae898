// Quarantine files: what is in one, and what is wrong with one.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import {
  quarantineJsonSchema,
  readExcluded,
  readQuarantine,
  writeQuarantine,
} from '../../../../extension/src/engine/data/quarantine.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-quarantine-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'rows.jsonl.quarantine');

const hash = (digit: string) => `sha256:${digit.repeat(64)}`;

test('rows are written once, by line, and read back', () => {
  expect(readQuarantine(file)).toBeNull();
  const [a, b] = [
    { hash: hash('a'), line: 9 },
    { hash: hash('b'), line: 2 },
  ];
  writeQuarantine(file, [a, b, a]);
  expect(readQuarantine(file)).toEqual([b, a]);
  expect(readExcluded(file)).toEqual({ file, rows: [b, a], hashes: new Set([hash('a'), hash('b')]) });
  writeQuarantine(file, []);
  expect(readFileSync(file, 'utf8')).toBe('{\n  "rows": []\n}\n');
});

test.each([
  ['{', /this is not JSON/, undefined],
  ['[]', /not a JSON object/, undefined],
  ['{}', /is missing/, 'rows'],
  ['{"rows": [], "row": 1}', /unknown key/, 'row'],
  ['{"rows": [{"hash": "sha256:12", "line": 1}]}', /must/, 'rows.0.hash'],
  [`{"rows": [{"hash": "${hash('0')}", "line": 0}]}`, /must/, 'rows.0.line'],
  [`{"rows": [{"hash": "${hash('0')}"}]}`, /./, 'rows.0.line'],
])('%s is refused', async (text, message, key) => {
  writeFileSync(file, text);
  const error = await inputErrorOf(() => readExcluded(file));
  expect(error.message).toMatch(message);
  expect(error.record()).toMatchObject({ file, ...(key && { key }) });
});

test('a missing file is an error of the run file', async () => {
  const missing = join(folder, 'missing.quarantine');
  expect(existsSync(missing)).toBe(false);
  expect((await inputErrorOf(() => readExcluded(missing))).record()).toMatchObject({
    message: 'the quarantine file does not exist',
    file: missing,
    key: 'dataset.exclude',
    hint: expect.stringContaining('tunewright quarantine') as string,
  });
});

test('media/schemas/quarantine.schema.json is up to date', () => {
  const committed = JSON.parse(readFileSync('media/schemas/quarantine.schema.json', 'utf8')) as object;
  expect(committed, 'stale: npm run schemas').toEqual(JSON.parse(JSON.stringify(quarantineJsonSchema())));
});
