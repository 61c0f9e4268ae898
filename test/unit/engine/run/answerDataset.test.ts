// Which rows of a validation set are asked for the metrics of a run.
import { describe, expect, it } from 'vitest';
import type { SequenceExample } from '../../../../extension/src/core/data/example.js';
import { encodeExample } from '../../../../extension/src/core/data/encodeExample.js';
import { spacedRows } from '../../../../extension/src/engine/run/answerDataset.js';
import { datasetOf } from '../../../support/tinyRun.js';
import { fixtureTokenizer } from '../../core/text/tokenizerFixtures.js';

const tokenizer = fixtureTokenizer('gpt2');
const options = { tokenizer, trainOn: 'completions' as const };
const example = (i: number): SequenceExample => ({ kind: 'completion', prompt: `Say ${i}`, completion: ` ${i}.` });
const encoded = (i: number) => [...encodeExample(example(i), tokenizer, options).inputIds];

/** The numbers of the rows that are asked if a file has those up to `all`. @param lineOf where they are */
function asked(rows: number[], count: number, all: number, lineOf: (i: number) => number, cut = Infinity): number[] {
  const dataset = {
    ...datasetOf(rows.map(i => encoded(i).slice(0, cut))),
    sourceOf: (i: number) => ({ file: 'rows', line: lineOf(rows[i]!) }),
  };
  const chosen = spacedRows({ dataset, indices: rows.map((_, i) => i) }, count, options);
  const read = Array.from({ length: all }, (_, i) => i);
  const found = read.filter(i => chosen.includes(example(i), { file: 'rows', line: lineOf(i) }));
  expect(chosen.isDone).toBe(true);
  return found;
}

describe('rows for metrics', () => {
  const ten = Array.from({ length: 10 }, (_, i) => i);

  it.each([
    [1, [0]],
    [2, [0, 5]],
    [3, [0, 3, 6]],
    [5, [0, 2, 4, 6, 8]],
    [10, ten],
    [16, ten],
  ])('of ten, %i at most are %j', (count, expected) => {
    expect(asked(ten, count, 10, i => i + 1)).toEqual(expected);
  });

  it('are those that were held out, also if all rows are on one line', () => {
    const heldOut = [2, 3, 7, 11];
    for (const lineOf of [(i: number) => i + 1, () => 1]) expect(asked(heldOut, 2, 12, lineOf)).toEqual([2, 7]);
  });

  it('are recognized where their ends were cut off', () => {
    expect(asked([2, 3, 7, 11], 4, 12, () => 1, encoded(2).length - 1)).toEqual([2, 3, 7, 11]);
  });
});
