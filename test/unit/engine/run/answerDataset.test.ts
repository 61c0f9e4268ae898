// Which rows of a validation set are asked for the metrics of a run.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadDataset } from '../../../../extension/src/engine/data/loadDataset.js';
import { datasetQuestions, spacedRows } from '../../../../extension/src/engine/run/answerDataset.js';
import { datasetConfigSchema } from '../../../../extension/src/protocol/datasetConfig.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import { fixtureTokenizer } from '../../core/text/tokenizerFixtures.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-questions-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// Equal rows are different ones: 3 is 2 again.
const rows = Array.from({ length: 12 }, (_, i) => ({ prompt: `Say ${i === 3 ? 2 : i}`, completion: ` ${i}.` }));
const files = {
  'one line each': ['rows.jsonl', rows.map(row => `${JSON.stringify(row)}\n`).join('')],
  'all on one line': ['rows.json', JSON.stringify([{ nothing: 1 }, ...rows])],
} as const;

/** The expected answers of the rows that are asked. @param heldOut indices of the dataset */
async function asked([name, text]: readonly [string, string], heldOut: number[], count: number): Promise<string[]> {
  const file = join(folder, name);
  writeFileSync(file, text);
  // The ends of the answers are cut off.
  const config = datasetConfigSchema.parse({ train: file, max_length: 6, truncation: 'end' });
  const dataset = await loadDataset({
    ...{ file, config, tokenizer: fixtureTokenizer('gpt2') },
    role: 'validation',
    onWarning: () => undefined,
  });
  const rowSet = spacedRows({ dataset, indices: Int32Array.from(heldOut) }, count);
  const questions = await datasetQuestions({
    ...{ config, metrics: [], maxNewTokens: 1, hasChatTemplate: false, reporter: silentReporter, key: 'key' },
    rows: rowSet,
  });
  expect(questions.map(({ row }) => row)).toEqual(Array.from(rowSet.indices));
  dataset.close();
  return questions.map(({ expected }) => expected!.trim());
}

describe.each(Object.values(files))('rows for metrics of %s', (...file) => {
  const ten = Array.from({ length: 10 }, (_, i) => i);

  it.each([
    [1, [0]],
    [2, [0, 5]],
    [3, [0, 3, 6]],
    [5, [0, 2, 4, 6, 8]],
    [10, ten],
    [16, ten],
  ])('of ten, %i at most are %j', async (count, expected) => {
    expect(await asked(file, ten, count)).toEqual(expected.map(i => `${i}.`));
  });

  it('are those that were held out, and not one that says the same', async () => {
    expect(await asked(file, [3, 5, 7, 11], 2)).toEqual(['3.', '7.']);
  });
});
