import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withAbsolutePaths, withRelativePaths } from '../../../../extension/src/host/runFiles/runFilePaths.js';

const base = mkdtempSync(join(tmpdir(), 'tunewright-paths-'));

test('data set, validation file, template and first adapter are taken from where the run file stands', () => {
  const config = {
    model: 'org/name',
    dataset: { train: 'a.jsonl', validation: '../b.jsonl', chat_template: '/t.jinja' },
    method: { peft_type: 'LORA', init_from: 'runs/x/adapter' },
  };
  expect(withAbsolutePaths(config, base)).toEqual({
    model: 'org/name',
    dataset: { train: join(base, 'a.jsonl'), validation: join(base, '../b.jsonl'), chat_template: '/t.jinja' },
    method: { peft_type: 'LORA', init_from: join(base, 'runs/x/adapter') },
  });
});

test('a share, a null and what is not there stay', () => {
  const config = {
    model: 'embedded:tiny',
    dataset: { train: '/a.jsonl', validation: 0.1 },
    method: { init_from: null },
  };
  expect(withAbsolutePaths(config, base)).toEqual(config);
  expect(withAbsolutePaths({ model: 3 }, base)).toEqual({ model: 3 });
});

test('a model is a path where it stands there, or is written as one', () => {
  mkdirSync(join(base, 'my-model'));
  expect(withAbsolutePaths({ model: 'my-model' }, base)).toEqual({ model: join(base, 'my-model') });
  expect(withAbsolutePaths({ model: './gone' }, base)).toEqual({ model: join(base, 'gone') });
});

test('a saved run file names what lies in the workspace from where it stands; back again gives the same', () => {
  const absolute = {
    model: join(base, 'my-model'),
    dataset: { train: join(base, 'data/a.jsonl'), validation: 0.1, chat_template: '/elsewhere/t.jinja' },
    method: { peft_type: 'LORA', init_from: join(base, 'runs/x/adapter') },
  };
  const folder = join(base, 'examples');
  const saved = withRelativePaths(absolute, folder, base);
  expect(saved).toEqual({
    model: '../my-model',
    dataset: { train: '../data/a.jsonl', validation: 0.1, chat_template: '/elsewhere/t.jinja' },
    method: { peft_type: 'LORA', init_from: '../runs/x/adapter' },
  });
  expect(withAbsolutePaths(saved, folder)).toEqual(absolute);
  expect(withRelativePaths({ model: join(base, 'my-model') }, base, base)).toEqual({ model: './my-model' });
  expect(withRelativePaths({ model: 'org/name' }, base, base)).toEqual({ model: 'org/name' });
});
