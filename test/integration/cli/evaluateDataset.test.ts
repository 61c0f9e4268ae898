// `tunewright evaluate --dataset` with the rows of highest loss and metrics of generated answers, on the embedded model.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { textMetrics } from '../../../extension/src/core/evaluation/textMetrics.js';
import { expectRefusal, succeed, tunewright, workplace } from '../../support/cli.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const place = workplace();
afterAll(() => place.remove());

const at = { cwd: place.path };
const onRows = ['evaluate', '--model', 'embedded:tiny', '--dataset', 'answers.jsonl'];

interface Report {
  loss: number;
  num_label_tokens: number;
  rows: number;
  worst: {
    file: string;
    line: number;
    loss: number;
    tokens: string[];
    token_ids: number[];
    losses: number[];
    masked: { at: number; text: string }[];
  }[];
  answers: { line: number; answer: string; expected: string; metrics: Record<string, number> }[];
}

const chat = (question: string, answer: string) => ({
  messages: [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ],
});
/** The base's answer to the first question. */
let said: string;

beforeAll(async () => {
  const { stdout } = await succeed(['generate', '--model', 'embedded:tiny', '--prompt', 'Who are you?', '--json'], at);
  said = (JSON.parse(stdout) as { answers: { text: string }[] }).answers[0]!.text.trim();
  place.write('answers.jsonl', [
    chat('Who are you?', said),
    chat('What are swans covered with?', 'Swans have feathers.'),
    { messages: [] },
    chat('Who are you?', 'qxz jkv wqp'),
    chat('long '.repeat(3000), 'Longer than the model reads.'),
  ]);
  place.write('texts.jsonl', [{ text: 'The sea is wide.' }, { text: 'The sun is hot.' }]);
});

it('gives the worst rows with their place and tokens, and the mean of each metric over the answers of generate', async () => {
  const names = textMetrics.map(({ name }) => name);
  const flags = ['--worst', '2', '--per-token', 'losses.jsonl', '--metrics', names.join(',')];
  const { stdout } = await succeed([...onRows, ...flags, '--json'], at);
  const report = JSON.parse(stdout) as Report & Record<string, number>;

  const perToken = readFileSync(place.file('losses.jsonl'), 'utf8').trimEnd().split('\n');
  const means = perToken.map(line => {
    const { line: number, losses } = JSON.parse(line) as { line: number; losses: number[] };
    return { line: number, loss: losses.reduce((sum, loss) => sum + loss) / losses.length };
  });
  means.sort((a, b) => b.loss - a.loss);
  expect(report.worst.map(({ line, loss }) => ({ line, loss }))).toEqual(means.slice(0, 2));
  expect(report.worst[0]).toMatchObject({ line: 4, file: place.file('answers.jsonl') });
  const [worst] = report.worst;
  expect(worst!.tokens.join('')).toContain('qxz jkv wqp');
  expect(worst!.masked[0]).toEqual({ at: 0, text: expect.stringContaining('Who are you?') });
  // The template's line end after the answer.
  expect(worst!.masked[1]).toEqual({ at: worst!.tokens.length, text: '\n' });

  expect(report.answers.map(({ line }) => line)).toEqual([1, 2, 4]);
  expect(report.answers[0]).toMatchObject({ answer: said, metrics: Object.fromEntries(names.map(name => [name, 1])) });
  for (const { name, of } of textMetrics) {
    const scores = report.answers.map(({ answer, expected }) => of(answer, expected));
    expect(report[name], name).toBeCloseTo(scores.reduce((sum, score) => sum + score) / 3, 12);
  }
});

it('prints both as text, also with an adapter', async () => {
  const dataset = { train: 'texts.jsonl' };
  const run = place.run('texts', { model: 'embedded:tiny', dataset, training: { max_steps: 1 } });
  await succeed(['train', run, '--out', 'trained'], at);
  const flags = ['--worst', '1', '--metrics', 'exact_match,rougeL', '--max-new-tokens', '8'];
  const adapter = ['--adapter', 'trained/adapter'];
  const { stdout } = await succeed([...onRows, ...adapter, ...flags], at);
  expect(stdout).toMatch(/^loss \d.*\nrougeL 0\.\d{4} {2}exact_match 0\.\d{4} {2}\(3 answers\)\n\nhighest loss +loss/);
  expect(stdout).toMatch(/answers\.jsonl:4 +\d+\.\d{4} +\d+\n$/);

  // For programs that show progress; a checkpoint is opened like an adapter.
  const result = async (...more: string[]) =>
    (await succeed([...onRows, ...more, '--json'], at)).stdout.trim().split('\n');
  const lines = (await result('--adapter', 'trained/checkpoints/step-1', '--metrics', 'rougeL', '--progress')).map(
    line => JSON.parse(line) as Record<string, unknown>,
  );
  expect(lines.at(-1)).not.toHaveProperty('type');
  const told = (type: string) => lines.filter(line => line['type'] === type);
  expect(told('progress').length + told('warning').length).toBe(lines.length - 1);
  expect(told('progress')).toContainEqual({ type: 'progress', phase: 'evaluate', done: 1, total: 1 });
  expect(told('progress')).toContainEqual({ type: 'progress', phase: 'answer', done: 2, total: 3 });
  expect(told('warning')).toContainEqual(expect.objectContaining({ code: 'rows_left_out' }));
  const [line] = await result(...adapter);
  expect(lines.at(-1)).toMatchObject({ loss: (JSON.parse(line!) as Report).loss });
});

it('refuses unknown metrics, and rows without question and answer', async () => {
  expectRefusal(await tunewright([...onRows, '--metrics', 'rouge-l'], at), '--metrics', 'did you mean "rougeL"?');
  expectRefusal(await tunewright([...onRows, '--progress'], at), '--progress', 'printed as JSON');
  expectRefusal(await tunewright([...onRows, '--max-new-tokens', '9'], at), '--max-new-tokens', 'without --metrics');
  const onTexts = onRows.with(-1, 'texts.jsonl');
  const refused = await tunewright([...onTexts, '--metrics', 'rouge1'], at);
  expectRefusal(refused, 'texts.jsonl', '--metrics', 'no row has a question and an answer');
});

it('never writes over the rows that it reads', async () => {
  const before = readFileSync(place.file('answers.jsonl'), 'utf8');
  const result = await tunewright([...onRows, '--per-token', './answers.jsonl'], at);
  expectRefusal(result, 'this is the file that is read', '--per-token');
  expect(readFileSync(place.file('answers.jsonl'), 'utf8')).toBe(before);
});

it('takes the user’s own columns for the fields of a format', async () => {
  const pairs = [
    ['Who are you?', 'A swan.'],
    ['Where are you?', 'On the lake.'],
  ];
  place.write(
    'usual.jsonl',
    pairs.map(([instruction, output]) => ({ instruction, output })),
  );
  place.write(
    'own.jsonl',
    pairs.map(([question, answer]) => ({ question, answer })),
  );
  const evaluate = (file: string, ...more: string[]) =>
    tunewright(
      ['evaluate', '--model', 'embedded:tiny', '--dataset', file, '--format', 'alpaca', '--json', ...more],
      at,
    );
  const usual = await evaluate('usual.jsonl');
  const own = await evaluate('own.jsonl', '--columns', 'instruction=question', 'output=answer');
  expect(own.code, own.stderr).toBe(0);
  expect((JSON.parse(own.stdout) as Report).loss).toBe((JSON.parse(usual.stdout) as Report).loss);
  expectRefusal(await evaluate('own.jsonl', '--columns', 'question'), '--columns', '"question" is not a field');
});
