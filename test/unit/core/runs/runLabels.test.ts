import { expect, test } from 'vitest';
import { distinctions, distinctionText, distinctName } from '../../../../extension/src/core/runs/runLabels.js';

const at = (day: number, hour: number, minute: number, second = 0) =>
  new Date(2026, 10, day, hour, minute, second).getTime();
const run = (folder: string, name: string, startedMs: number, config: object = {}) => ({
  folder,
  name,
  startedMs,
  config: { name, ...config },
});

test('a run whose name is unique needs no more than its name', () => {
  const runs = [run('/a', 'pirate', at(28, 14, 5)), run('/b', 'haiku', at(28, 14, 5))];
  const known = distinctions(runs);
  expect(known.size).toBe(0);
  expect(runs.map(each => distinctName(each, known))).toEqual(['pirate', 'haiku']);
});

test('runs of one name are told apart by their time and by the options that differ, in the order of the file', () => {
  const config = (r: number, learning_rate: number) => ({
    model: 'embedded:tiny',
    method: { peft_type: 'LORA', r, target_modules: ['q_proj', 'v_proj'] },
    training: { learning_rate },
  });
  const runs = [
    run('/a', 'pirate', at(27, 9, 30), config(8, 0.005)),
    run('/b', 'pirate', at(28, 14, 5), config(16, 0.005)),
    run('/c', 'pirate', at(28, 14, 7), config(16, 0.001)),
  ];
  const known = distinctions(runs);
  expect(runs.map(each => distinctName(each, known))).toEqual([
    'pirate (27 Nov 09:30, r 8, learning_rate 0.005)',
    'pirate (28 Nov 14:05, r 16, learning_rate 0.005)',
    'pirate (28 Nov 14:07, r 16, learning_rate 0.001)',
  ]);
});

test('models, datasets and methods are named without their key and folder', () => {
  const of = (peft_type: string, train: string) => ({ dataset: { train }, method: { peft_type } });
  const runs = [
    run('/a', 'x', at(28, 1, 0), of('LORA', '/data/one.jsonl')),
    run('/b', 'x', at(28, 2, 0), of('IA3', '/data/two.jsonl')),
  ];
  expect([...distinctions(runs).values()].map(({ differences }) => differences)).toEqual([
    ['one.jsonl', 'LORA'],
    ['two.jsonl', 'IA3'],
  ]);
});

test('an option that only one file names is no difference, since the engine fills in defaults when a run starts', () => {
  const runs = [
    run('/a', 'x', at(28, 1, 0), { method: { peft_type: 'LORA' } }),
    run('/b', 'x', at(28, 2, 0), { method: { peft_type: 'LORA', r: 8 } }),
  ];
  expect([...distinctions(runs).values()].map(distinctionText)).toEqual(['28 Nov 01:00', '28 Nov 02:00']);
});

test('equal runs of the same minute have seconds', () => {
  const runs = [run('/a', 'x', at(28, 1, 0, 5)), run('/b', 'x', at(28, 1, 0, 42)), run('/c', 'x', at(28, 1, 1))];
  expect([...distinctions(runs).values()].map(distinctionText)).toEqual([
    '28 Nov 01:00:05',
    '28 Nov 01:00:42',
    '28 Nov 01:01',
  ]);
});
