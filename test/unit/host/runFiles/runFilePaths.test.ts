import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withAbsolutePaths, withRelativePaths } from '../../../../extension/src/host/runFiles/runFilePaths.js';

const base = mkdtempSync(join(tmpdir(), 'tunewright-paths-'));

test('paths of dataset, validation file, template, suites and initial adapter are relative to the run file', () => {
  const config = {
    model: 'org/name',
    dataset: { train: 'a.jsonl', validation: '../b.jsonl', chat_template: '/t.jinja', suites: ['s.eval.jsonl', '/t'] },
    method: { peft_type: 'LORA', init_from: 'runs/x/adapter' },
  };
  expect(withAbsolutePaths(config, base)).toEqual({
    model: 'org/name',
    dataset: {
      train: join(base, 'a.jsonl'),
      validation: join(base, '../b.jsonl'),
      chat_template: '/t.jinja',
      suites: [join(base, 's.eval.jsonl'), '/t'],
    },
    method: { peft_type: 'LORA', init_from: join(base, 'runs/x/adapter') },
  });
});

test('places of exports are relative to the run file', () => {
  const config = {
    model: 'org/name',
    export: [{ target: 'gguf', out: 'a.gguf' }, { target: 'mlx', out: null }, 'odd'],
  };
  const absolute = withAbsolutePaths(config, base);
  expect(absolute).toMatchObject({ export: [{ out: join(base, 'a.gguf') }, { target: 'mlx', out: null }, 'odd'] });
  expect(withRelativePaths(absolute, base, base)).toEqual(config);
});

test('a share, a null and missing keys stay', () => {
  const config = {
    model: 'embedded:tiny',
    dataset: { train: '/a.jsonl', validation: 0.1 },
    method: { init_from: null },
  };
  expect(withAbsolutePaths(config, base)).toEqual(config);
  expect(withAbsolutePaths({ model: 3 }, base)).toEqual({ model: 3 });
  expect(withAbsolutePaths({ dataset: { suites: [3] } }, base)).toEqual({ dataset: { suites: [3] } });
});

test('a model is a path if it exists or is written as one', () => {
  mkdirSync(join(base, 'my-model'));
  expect(withAbsolutePaths({ model: 'my-model' }, base)).toEqual({ model: join(base, 'my-model') });
  expect(withAbsolutePaths({ model: './gone' }, base)).toEqual({ model: join(base, 'gone') });
});

test('a saved run file has relative paths within the workspace; the inverse gives the same config', () => {
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
