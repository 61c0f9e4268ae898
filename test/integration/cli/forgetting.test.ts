// Forgetting from the command line: the finished adapter has the figures of its run, on bundled texts and on a file; bad input.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { EngineEvent } from '../../../extension/src/protocol/engineEvent.js';
import { expectRefusal, succeed, tunewright, workplace, type Workplace } from '../../support/cli.js';

let place: Workplace;
const TEXTS = ['The sea is blue.', 'Bread is made from flour.'].map(text => ({ text }));

const evaluated = (run: string) =>
  place.events(run).filter((event): event is Extract<EngineEvent, { type: 'evaluated' }> => event.type === 'evaluated');
const evaluate = (...args: string[]) => tunewright(['evaluate', '--model', 'base', ...args], { cwd: place.path });

beforeAll(() => {
  place = workplace();
  place.write('texts.jsonl', TEXTS);
});
afterAll(() => place.remove());

it.each([
  ['the bundled texts', {}, []],
  ['a file', { general_texts: 'texts.jsonl' }, ['--general-texts', 'texts.jsonl']],
])('evaluate --forgetting gives the figures of the run, on %s', async (_, training, args) => {
  const name = args.length > 0 ? 'own' : 'bundled';
  place.run(name, {
    dataset: { validation: 0.2 },
    training: { eval_steps: 3, load_best_model_at_end: false, ...training },
  });
  await succeed(['train', `${name}.json`, '--out', name], { cwd: place.path });
  const { metrics } = evaluated(name).at(-1)!;
  const { stdout, stderr, code } = await evaluate('--adapter', `${name}/adapter`, '--forgetting', '--json', ...args);
  expect(code, stderr).toBe(0);
  const figures = JSON.parse(stdout) as Record<string, number>;
  expect(Object.keys(figures)).toEqual([
    'kl_from_base',
    'general_loss',
    'base_general_loss',
    'num_label_tokens',
    'rows',
  ]);
  expect(figures['kl_from_base']).toBeGreaterThan(0);
  for (const key of ['kl_from_base', 'general_loss'])
    expect(Math.abs(figures[key]! - metrics[key]!), key).toBeLessThan(1e-5);
  expect(evaluated(name)[0]!.metrics).toMatchObject({ kl_from_base: 0, general_loss: figures['base_general_loss'] });
});

it('isn’t measured if the run file says so', async () => {
  place.run('off', { dataset: { validation: 0.2 }, training: { max_steps: 2, measure_forgetting: false } });
  await succeed(['train', 'off.json', '--out', 'off'], { cwd: place.path });
  expect(Object.keys(evaluated('off')[0]!.metrics)).toEqual(['perplexity', 'token_accuracy']);
});

it('refuses what can’t be measured', async () => {
  expectRefusal(await evaluate('--forgetting'), '--adapter', 'one adapter');
  expectRefusal(await evaluate('--forgetting', '--dataset', 'rows.jsonl'), '--forgetting: there are a dataset and');
  expectRefusal(await evaluate('--dataset', 'rows.jsonl', '--general-texts', 'x'), '--general-texts: this option is');
  place.run('missing', { dataset: { validation: 0.2 }, training: { general_texts: 'missing.jsonl' } });
  expectRefusal(await tunewright(['train', 'missing.json', '--out', 'x'], { cwd: place.path }), 'missing.jsonl');
});
