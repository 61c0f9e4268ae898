import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { datasetFile, isDatasetFolder } from '../../../../extension/src/engine/data/datasetFile.js';

let root: string;
beforeAll(() => void (root = mkdtempSync(join(tmpdir(), 'tunewright-folders-'))));
afterAll(() => rmSync(root, { recursive: true }));

let folders = 0;
function folderOf(...files: string[]): string {
  const folder = join(root, String(folders++));
  mkdirSync(folder);
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), '');
  }
  return folder;
}

test('an evaluation suite is no file of rows, but the rows of a split may have its name', () => {
  const folder = folderOf('rows.jsonl', 'tone.eval.jsonl');
  writeFileSync(join(folder, 'tone.eval.jsonl'), '{"prompt": "a", "checks": [{"type": "exact", "value": "b"}]}\n');
  expect(datasetFile(folder, 'train')).toBe(join(folder, 'rows.jsonl'));
  const split = folderOf('tone.train.jsonl', 'tone.eval.jsonl');
  writeFileSync(join(split, 'tone.eval.jsonl'), '{"prompt": "a", "completion": "b"}\n');
  expect(datasetFile(split, 'validation')).toBe(join(split, 'tone.eval.jsonl'));
});

test('a file is itself, whether it exists or not', () => {
  expect(datasetFile(join(root, 'none.jsonl'), 'train')).toBe(join(root, 'none.jsonl'));
});

describe('a folder has one file of the split, as `datasets` finds it', () => {
  test.each<[string[], train: string, validation: string | null]>([
    [['train.jsonl', 'test.jsonl', 'README.md'], 'train.jsonl', 'test.jsonl'],
    [['my-train.csv', 'my-dev.csv', 'my-test.csv', 'dataset_infos.json'], 'my-train.csv', 'my-dev.csv'],
    [
      ['data/train-00000-of-00001.parquet', 'data/validation-00000-of-00001.parquet'],
      'data/train-00000-of-00001.parquet',
      'data/validation-00000-of-00001.parquet',
    ],
    [['rows.jsonl.gz', '.hidden.jsonl'], 'rows.jsonl.gz', 'rows.jsonl.gz'],
    [['training_set.json', 'notes.txt'], 'training_set.json', null],
  ])('%j', (files, train, validation) => {
    const folder = folderOf(...files);
    expect(isDatasetFolder(folder)).toBe(true);
    expect(datasetFile(folder, 'train')).toBe(join(folder, train));
    if (validation) expect(datasetFile(folder, 'validation')).toBe(join(folder, validation));
    else
      expect(() => datasetFile(folder, 'validation')).toThrow(/without a file of validation rows; it has training_set/);
  });

  test.each<[string[], RegExp]>([
    [['train-0.jsonl', 'train-1.jsonl'], /2 files of rows that could be meant: train-0\.jsonl, train-1\.jsonl/],
    [['a.jsonl', 'b.csv'], /2 files of rows that could be meant: a\.jsonl, b\.csv/],
    [['test.jsonl', 'rows.jsonl'], /without a file of train rows; it has rows\.jsonl, test\.jsonl/],
    [['README.md'], /a folder without dataset files/],
    [['data-00000-of-00001.arrow', 'state.json', 'dataset_info.json'], /without dataset files/],
  ])('%j: what is in it', (files, message) => {
    const folder = folderOf(...files);
    expect(() => datasetFile(folder, 'train')).toThrow(
      expect.objectContaining({ where: folder, message: expect.stringMatching(message) }),
    );
  });
});

test('folders of models and adapters are not datasets', () => {
  expect(isDatasetFolder(folderOf('config.json', 'tokenizer.json'))).toBe(false);
  expect(isDatasetFolder(folderOf('adapter_config.json'))).toBe(false);
  expect(isDatasetFolder(folderOf('tokenizer.json', 'model.safetensors.index.json'))).toBe(false);
  expect(isDatasetFolder(join(root, 'none'))).toBe(false);
});
