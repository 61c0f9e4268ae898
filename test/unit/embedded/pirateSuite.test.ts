// The bundled suite: up to date with its script, and of questions that the bundled run doesn't train on.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { pirateSuite } from '../../../extension/scripts/embedded/writeSuite.mjs';
import { readSuite } from '../../../extension/src/engine/data/readSuite.js';
import { sourceHash } from '../../../extension/src/engine/data/sourceHash.js';
import { trainedAmong } from '../../../extension/src/engine/run/contamination.js';
import { readRunFile } from '../../../extension/src/engine/run/readRunFile.js';
import { modelOf } from '../../../extension/src/engine/run/trainedRows.js';
import { silentReporter } from '../../../extension/src/engine/run/reporter.js';

const file = 'media/examples/pirate.eval.jsonl';

test('is up to date', () => {
  expect(readFileSync(file, 'utf8'), 'stale: run node extension/scripts/embedded/writeSuite.mjs').toBe(
    pirateSuite(sourceHash as (example: object) => string),
  );
});

test('is passed by the expected answers, and not by plain ones', async () => {
  const rows = await readSuite(file);
  expect(rows).toHaveLength(40);
  for (const { id, expected, checks } of rows) {
    const verdicts = (text: string) => checks.map(({ judge }) => judge({ text, toolCalls: [], tokens: 1 }).passed);
    expect(verdicts(expected!), id).toEqual([true, true]);
    expect(verdicts('It is a good day.'), id).toEqual([false, false]);
  }
});

test('has no row that the bundled run trains on', async () => {
  const sources = new Set((await readSuite(file)).map(({ source }) => source));
  const run = readRunFile('media/examples/pirate.tune.json');
  const { rows } = await trainedAmong(run, hash => sources.has(hash), modelOf(run), silentReporter);
  expect(rows).toEqual([]);
});
