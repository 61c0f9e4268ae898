import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { baseModelOf, modelCard } from '../../../../extension/src/engine/models/modelCard.js';

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'tunewright-card-'))));
afterAll(() => rmSync(folder, { recursive: true }));

test.each(['embedded:tiny', 'HuggingFaceTB/SmolLM2-135M-Instruct', '/models/a b: "c"', 'C:\\models\\x'])(
  'the base %s is written and read back',
  base => {
    writeFileSync(join(folder, 'README.md'), modelCard(base));
    expect(baseModelOf(folder)).toBe(base);
  },
);

test.each<[string, string, string | null]>([
  ['a text', '---\nbase_model: org/name\n---\n# A model', 'org/name'],
  ['in quotes', "---\nlicense: mit\nbase_model: 'org/name'\n---\n", 'org/name'],
  ['a list', '---\nbase_model:\n- org/name\n- org/other\n---\n', 'org/name'],
  ['an indented list', '---\r\nbase_model:\r\n  - org/name\r\n---\r\n', 'org/name'],
  ['none', '---\nlicense: mit\n---\n', null],
  ['only in the text', '# A model\nbase_model: org/name\n', null],
  ['no metadata', '', null],
])('the base of a card: %s', (_, text, base) => {
  writeFileSync(join(folder, 'README.md'), text);
  expect(baseModelOf(folder)).toBe(base);
});

test('a folder without a card, or with a folder of that name, names none', () => {
  expect(baseModelOf(join(folder, 'none'))).toBeNull();
  mkdirSync(join(folder, 'odd', 'README.md'), { recursive: true });
  expect(baseModelOf(join(folder, 'odd'))).toBeNull();
});
