// The arguments of the engine's `evaluate`: settings of the run, and its format only for its own rows.
import { expect, it } from 'vitest';
import { textMetrics } from '../../../../extension/src/core/evaluation/textMetrics.js';
import { evaluateArguments } from '../../../../extension/src/host/webviews/evaluateArguments.js';
import { sessionOptionsSchema } from '../../../../extension/src/protocol/sessionMessages.js';

const settings = sessionOptionsSchema.parse({
  model: 'tiny',
  folder: '/runs/a',
  base_weights: 'int8',
  threads: 2,
  adapter: 1,
});
const config = { dataset: { train: '/data/a.jsonl', format: 'messages', max_length: 64, train_on: 'all' } };

/** Values by option. */
function options(args: readonly string[]): Record<string, string | true> {
  return Object.fromEntries(
    args.flatMap((arg, i) =>
      arg.startsWith('--') ? [[arg, args[i + 1]?.startsWith('--') === false ? args[i + 1]! : true]] : [],
    ),
  );
}

it('evaluates as the run was trained', () => {
  const args = evaluateArguments(
    { dataset: '/data/a.jsonl', answers: true },
    { settings, adapter: '/runs/a/adapter' },
    config,
  );
  expect(args[0]).toBe('evaluate');
  expect(options(args)).toEqual({
    '--model': 'tiny',
    '--adapter': '/runs/a/adapter',
    '--dataset': '/data/a.jsonl',
    '--format': 'messages',
    '--max-length': '64',
    '--train-on': 'all',
    '--base-weights': 'int8',
    '--precision': 'float32',
    '--backend': 'auto',
    '--gpu-adapter': '1',
    '--threads': '2',
    '--worst': '20',
    '--metrics': textMetrics.map(({ name }) => name).join(','),
    '--progress': true,
  });
});

it('names the columns of the run for its own rows', () => {
  const columns = { instruction: 'question', output: 'answer' };
  const own = { dataset: { ...config.dataset, columns } };
  const of = (dataset: string) => evaluateArguments({ dataset, answers: false }, { settings, adapter: null }, own);
  const args = of('/data/a.jsonl');
  const at = args.indexOf('--columns');
  expect(args.slice(at, at + 4)).toEqual(['--columns', 'instruction=question', 'output=answer', '--max-length']);
  expect(of('/data/b.jsonl')).not.toContain('--columns');
});

it('recognises the format of other rows, and asks no answers unless wanted', () => {
  const args = evaluateArguments({ dataset: '/data/b.csv', answers: false }, { settings, adapter: null }, config);
  for (const absent of ['--adapter', '--format', '--metrics']) expect(args).not.toContain(absent);
  expect(evaluateArguments({ dataset: '/b', answers: false }, { settings, adapter: null }, {})).not.toContain(
    '--max-length',
  );
});
