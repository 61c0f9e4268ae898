// A run with eval_metrics and metric_for_best_model, as a process: its figures are those of `evaluate --metrics` on the same checkpoint and
// rows, a resumed run has those of an uninterrupted one, and what can't be measured is refused before a run folder exists.
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { textMetrics } from '../../../extension/src/core/evaluation/textMetrics.js';
import { peftMethods } from '../../../extension/src/engine/peft/registry.js';
import { testsAll } from '../../support/matrix.js';
import { expectRefusal, succeed, tunewright, workplace } from '../../support/cli.js';
import { eventsOf } from '../../support/tinyRun.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const place = workplace();
afterAll(() => place.remove());
const at = { cwd: place.path };

const NAMES = textMetrics.map(({ name }) => name);
const chat = (question: string, answer: string) => ({
  messages: [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ],
});

/** What `evaluate` says of the rows. */
async function evaluated(dataset: string, ...adapter: string[]) {
  const flags = ['--metrics', NAMES.join(','), '--max-new-tokens', '12', '--json'];
  const onRows = ['evaluate', '--model', 'embedded:tiny', '--dataset', dataset, ...adapter, ...flags];
  return reported(onRows);
}

async function reported(command: string[]) {
  const { stdout } = await succeed(command, at);
  return JSON.parse(stdout) as { answers: { answer: string; expected: string }[] } & Record<string, number>;
}

/** Of the embedded model on short answers, which an adapter learns in part within some steps. */
const changes = {
  model: 'embedded:tiny',
  dataset: { train: 'train.jsonl', validation: 'validation.jsonl', max_length: 64 },
  training: {
    max_steps: 24,
    eval_steps: 6,
    per_device_train_batch_size: 8,
    learning_rate: 0.01,
    save_total_limit: null,
    eval_metrics: NAMES,
    eval_max_new_tokens: 12,
    metric_for_best_model: 'rougeL',
  },
};

beforeAll(() => {
  const rows = ['dog', 'cat', 'cow', 'owl', 'bee', 'fox', 'hen', 'bat', 'ant', 'pig'].map(name =>
    chat(`Do you like the ${name}?`, `Yes, I like the ${name}.`),
  );
  place.write('train.jsonl', rows);
  place.write('validation.jsonl', [...rows.slice(0, 4), chat('Do you like the sun?', 'Yes, I like the sun.')]);
});

const evaluations = (run: string) => eventsOf(place.events(run), 'evaluated');

describe('a run with eval_metrics', () => {
  beforeAll(async () => {
    await succeed(['train', place.run('whole', changes), '--out', 'whole'], at);
  });

  it('measures at each evaluation what evaluate --metrics measures of that checkpoint on the same rows', async () => {
    const measured = evaluations('whole');
    expect(measured.map(({ step }) => step)).toEqual([0, 6, 12, 18, 24]);
    for (const { step, metrics } of measured) {
      const adapter = step === 0 ? [] : ['--adapter', `whole/checkpoints/step-${step}`];
      const report = await evaluated('validation.jsonl', ...adapter);
      expect(report.answers).toHaveLength(5);
      for (const { name, of } of textMetrics) {
        const scores = report.answers.map(({ answer, expected }) => of(answer, expected));
        expect(metrics[name], `${name} at step ${step}`).toBe(scores.reduce((sum, score) => sum + score, 0) / 5);
        expect(metrics[name], `${name} at step ${step}`).toBe(report[name]);
      }
    }
    expect(new Set(measured.map(({ metrics }) => metrics['rougeL'])).size, 'values of rougeL').toBeGreaterThan(2);
  });

  it('keeps the checkpoint with the best of them, and says by what', async () => {
    const events = place.events('whole');
    expect(eventsOf(events, 'started')[0]).toMatchObject({ metric_for_best_model: 'rougeL' });
    expect(eventsOf(events, 'started')[0]!.metrics.map(({ name }) => name)).toEqual(expect.arrayContaining(NAMES));
    const measured = evaluations('whole').slice(1);
    const values = measured.map(({ metrics }) => metrics['rougeL']!);
    const best = measured[values.indexOf(Math.max(...values))]!;
    expect(eventsOf(events, 'completed')[0]).toMatchObject({
      best_step: best.step,
      best_metric: best.metrics['rougeL'],
      best_loss: best.loss,
    });
    expect((await evaluated('validation.jsonl', '--adapter', 'whole/adapter')).loss).toBeCloseTo(best.loss, 4);
  });

  it.each(['step', 'evaluated'])(
    'that is stopped after the %s event of step 12 and resumed has the same figures, bit for bit',
    async type => {
      const out = `by-${type}`;
      const run = place.run(out, changes);
      await tunewright(['train', run, '--out', out, '--json'], {
        ...at,
        onLine: (line, child) => {
          const event = JSON.parse(line) as { type: string; step?: number };
          if (event.type === type && event.step === 12) child.kill('SIGINT');
        },
      });
      expect(place.events(out).at(-1)).toMatchObject({ type: 'completed', reason: 'stopped' });
      await succeed(['train', run, '--out', out, '--resume'], at);
      const figures = (of: string) =>
        evaluations(of).map(({ step, loss, metrics, best }) => ({ step, loss, metrics, best }));
      expect(figures(out)).toEqual(figures('whole'));
      const tensors = (of: string) => readFileSync(place.file(of, 'adapter', 'adapter_model.safetensors'));
      expect(tensors(out).equals(tensors('whole')), 'the same adapter').toBe(true);
    },
  );
});

/** Of each way to store and to apply a result. */
const METHODS = ['LORA', 'PROMPT_TUNING', 'IA3', 'SELECTIVE', 'FULL'];

describe.each([
  ...peftMethods
    .filter(({ peftType }) => testsAll || METHODS.includes(peftType))
    .map(({ peftType, storage }) => ({ peftType, storage, engine: {}, flags: [] as string[] })),
  { peftType: 'LORA', storage: 'adapter', engine: { backend: 'wasm' }, flags: ['--backend', 'wasm'] },
  { peftType: 'LORA', storage: 'adapter', engine: { base_weights: 'int8' }, flags: ['--base-weights', 'int8'] },
])('$peftType $flags', ({ peftType, storage, engine, flags }) => {
  it('has the metrics of its result in its last evaluation', async () => {
    const name = [peftType, ...flags].join('');
    const dataset = { train: 'train.jsonl', validation: 'validation.jsonl', max_length: 64 };
    const training = { ...changes.training, max_steps: 4, eval_steps: 4, load_best_model_at_end: false };
    const run = place.run(name, { ...changes, dataset, training, engine, method: { peft_type: peftType } });
    await succeed(['train', run, '--out', name], at);
    const model = storage === 'model' ? [`${name}/model`] : ['embedded:tiny', '--adapter', `${name}/adapter`];
    const metrics = ['--metrics', NAMES.join(','), '--max-new-tokens', '12', '--json'];
    const report = await reported([
      'evaluate',
      '--model',
      ...model,
      '--dataset',
      'validation.jsonl',
      ...flags,
      ...metrics,
    ]);
    const last = evaluations(name).at(-1)!;
    expect(last.metrics).toMatchObject(Object.fromEntries(NAMES.map(metric => [metric, report[metric]])));
  });
});

it('prints the metrics of each evaluation, and by which one a checkpoint is the best', async () => {
  const training = { ...changes.training, max_steps: 2, eval_steps: 2, eval_metrics: ['exact_match', 'rouge1'] };
  const run = place.run('printed', { ...changes, training: { ...training, metric_for_best_model: 'eval_rouge1' } });
  const { stderr } = await succeed(['train', run, '--out', 'printed'], at);
  expect(stderr).toMatch(/step 0 .* ROUGE-1 [\d.]+% {2}exact match [\d.]+%\n/);
  expect(stderr).toMatch(/step 2 .* exact match [\d.]+% {2}\(best ROUGE-1\)\n/);
  expect(stderr).toMatch(/best ROUGE-1 [\d.]+% at step 2 \(validation loss [\d.]+\)/);
});

it('answers evenly spaced rows, which it knows from each other where all are on one line', async () => {
  const rows = Array.from({ length: 9 }, (_, i) => chat(`What is ${i}?`, `It is ${i}.`));
  place.write('numbers.json', rows);
  const training = { ...changes.training, max_steps: 1, eval_steps: 1, eval_metrics_rows: 3 };
  const dataset = { train: 'train.jsonl', validation: 'numbers.json', max_length: 64 };
  const run = place.run('list', { ...changes, dataset, training });
  await succeed(['train', run, '--out', 'list'], at);
  place.write('chosen.jsonl', [rows[0], rows[3], rows[6]]);
  const report = await evaluated('chosen.jsonl');
  expect(evaluations('list')[0]!.metrics).toMatchObject(Object.fromEntries(NAMES.map(name => [name, report[name]])));
});

describe('before a run folder exists it is an error if', () => {
  const refused = async (name: string, dataset: object, training: object, ...parts: (string | RegExp)[]) => {
    const run = place.run(name, {
      model: 'embedded:tiny',
      dataset: { ...changes.dataset, ...dataset },
      training: { max_steps: 2, ...training },
    });
    expectRefusal(await tunewright(['train', run, '--out', name], at), ...parts);
    expect(existsSync(place.file(name)), 'a run folder').toBe(false);
  };

  it.each([
    ['texts', [{ text: 'The sea is wide.' }, { text: 'The sun is hot.' }]],
    ['tokens', [{ input_ids: [5, 6, 7, 8] }, { input_ids: [9, 10, 11] }]],
    ['completions', [{ prompt: '', completion: 'The sea is wide.' }]],
    ['assistants', [{ messages: [{ role: 'assistant', content: 'The sea is wide.' }] }]],
  ])('no row has a question: %s', async (name, rows) => {
    place.write(`${name}.jsonl`, rows);
    const dataset = { train: `${name}.jsonl`, validation: `${name}.jsonl` };
    const what = [`${name}.jsonl:1`, 'training.eval_metrics', 'no row has a question and an answer in text'];
    await refused(name, dataset, { eval_metrics: ['rouge1'] }, ...what, 'Leave training.eval_metrics out');
  });

  it.each([
    ['eval_metrics', { eval_metrics: ['rouge1'] }],
    ['metric_for_best_model', { metric_for_best_model: 'token_accuracy' }],
  ])('there are no validation rows for %s', async (key, training) => {
    await refused(key, { validation: null }, training, `training.${key}`, 'no validation rows', 'dataset.validation');
  });

  it.each([
    ['rougeL', { eval_metrics: ['rouge1'] }, ['Add it to training.eval_metrics']],
    ['kl_from_base', { measure_forgetting: false }, ['training.measure_forgetting']],
    ['accuracy', {}, ['loss, perplexity, token_accuracy, kl_from_base, general_loss', 'did you mean "token_accuracy"']],
    ['eval_los', {}, ['did you mean "loss"']],
  ])('%s is not measured', async (metric, training, parts) => {
    const options = { ...training, metric_for_best_model: metric };
    await refused('unmeasured', {}, options, 'training.metric_for_best_model', "isn't measured in this run", ...parts);
  });

  it('a metric is unknown, or a row is longer than the model reads', async () => {
    await refused('unknown', {}, { eval_metrics: ['bleu'] }, 'training.eval_metrics', '"rouge1" or "rouge2"');
    const long = chat('long '.repeat(3000), 'Yes.');
    place.write('long.jsonl', [chat('Who are you?', 'An owl.'), long]);
    const dataset = { validation: 'long.jsonl', train_on: 'all' };
    await refused('long', dataset, { eval_metrics: ['rouge1'] }, /long\.jsonl:2\b/, 'eval_metrics', 'reads at most');
  });
});
