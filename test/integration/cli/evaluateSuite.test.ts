// `tunewright evaluate --suite` and `suite` as a user types them, on the embedded model: a suite of held-out rows, the table, JSON and
// JUnit XML, exit codes, rows that an adapter was trained on, Ctrl-C.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { evaluationReportSchema, type EvaluationReport } from '../../../extension/src/protocol/answers.js';
import { expectRefusal, succeed, tunewright, workplace } from '../../support/cli.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const place = workplace();
afterAll(() => place.remove());

const QUESTIONS = Array.from({ length: 20 }, (_, i) => `What is ${i} and ${i}?`);
const model = ['--model', 'embedded:tiny'];
const at = { cwd: place.path };
const evaluate = (...args: string[]) => tunewright(['evaluate', ...model, ...args], at);
const linesOf = (file: string) =>
  readFileSync(place.file(file), 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>);

beforeAll(async () => {
  const rows = QUESTIONS.map((content, i) => ({
    messages: [
      { role: 'user', content },
      { role: 'assistant', content: `It is ${2 * i}.` },
    ],
  }));
  place.write('sums.jsonl', rows);
  // A resumed adapter of a run that holds a quarter out.
  const dataset = { train: 'sums.jsonl', validation: 0.25 };
  const training = { max_steps: 2, learning_rate: 1e-3 };
  await succeed(['train', place.run('sums', { model: 'embedded:tiny', dataset, training }), '--out', 'sums'], at);
  const init = { method: { init_from: 'sums/adapter' }, training: { max_steps: 1 } };
  const more = place.run('more', { model: 'embedded:tiny', dataset: { train: 'rows.jsonl' }, ...init });
  await succeed(['train', more, '--out', 'more'], at);
  place.write('two.eval.jsonl', [
    { id: 'swan', prompt: 'What are swans covered with?', checks: [{ type: 'contains', value: 'feathers' }] },
    {
      id: 'never',
      prompt: 'Who are you?',
      expected: 'No.',
      checks: [{ type: 'exact' }, { type: 'max_tokens', value: 100 }],
    },
  ]);
});

describe('evaluate --suite', () => {
  it('with --no-base lets the adapters answer only', async () => {
    const { stdout } = await evaluate(
      '--suite',
      'two.eval.jsonl',
      '--adapter',
      'b=more/adapter',
      '--no-base',
      '--json',
    );
    const report = JSON.parse(stdout) as EvaluationReport;
    expect([Object.keys(report.models), report.comparisons]).toEqual([['b'], []]);
    expectRefusal(
      await evaluate('--suite', 'two.eval.jsonl', '--no-base'),
      '--no-base: without the base there is nothing',
    );
    expectRefusal(await evaluate('--dataset', 'sums.jsonl', '--no-base'), '--no-base: this option is for --suite only');
  });

  it('answers with the base and each adapter: JSON of the documented shape, JUnit XML', async () => {
    const { stdout, code, stderr } = await evaluate(
      '--suite',
      'two.eval.jsonl',
      '--adapter',
      'a=sums/adapter',
      '--adapter',
      'b=more/adapter',
      '--junit',
      'out/two.xml',
      '--json',
    );
    expect(code, stderr).toBe(0);
    const report = JSON.parse(stdout) as EvaluationReport;
    expect(evaluationReportSchema.strict().parse(report)).toEqual(report);
    expect(Object.keys(report.models)).toEqual(['base', 'a', 'b']);
    expect(report.models.base).toMatchObject({ passed: 1, total: 2, score: 0.75 });
    expect(report.models.base!.rows[0]).toEqual({
      id: 'swan',
      passed: true,
      answer: expect.stringContaining('feathers') as string,
      checks: [{ type: 'contains', passed: true, score: 1 }],
    });
    expect(report.comparisons.map(({ a, b }) => [a, b])).toEqual([
      ['a', 'base'],
      ['b', 'base'],
      ['b', 'a'],
    ]);
    const xml = readFileSync(place.file('out', 'two.xml'), 'utf8');
    expect(xml).toContain('<testsuite name="two.eval.jsonl (base)" tests="2" failures="1" errors="0" skipped="0"');
    expect(xml.match(/<testcase /g)).toHaveLength(6);
    expect(xml).toContain('two.eval.jsonl:2\nexact: it is not &quot;No.&quot;');
  });

  it('gives the answers of generate', async () => {
    const { stdout } = await evaluate('--suite', 'two.eval.jsonl', '--json');
    const alone = await succeed(['generate', ...model, '--prompt', 'Who are you?', '--json'], at);
    const { answers } = JSON.parse(alone.stdout) as { answers: { text: string }[] };
    expect((JSON.parse(stdout) as EvaluationReport).models.base!.rows[1]!.answer).toBe(answers[0]!.text);
  });

  it('prints a table', async () => {
    const { stdout } = await evaluate('--suite', 'two.eval.jsonl', '--adapter', 'a=sums/adapter');
    expect(stdout).toMatch(/^model +passed +score\nbase +1 of 2 +50% +0\.750\na +\d of 2/);
    expect(stdout).toMatch(/\nnever +exact +exact\n/);
    expect(stdout).toMatch(
      /\na against base: \d wins?, \d loss(es)?, \d ties? \(p = [\d.]+\); score .*: no difference shown\n/,
    );
  });

  it('exits with 1 below --fail-under, after the result', async () => {
    const below = await evaluate('--suite', 'two.eval.jsonl', '--fail-under', '0.76', '--json');
    expect(below.code).toBe(1);
    expect(below.stderr).toContain('below --fail-under 0.76: base 0.750');
    expect(JSON.parse(below.stdout)).toHaveProperty('models.base.score', 0.75);
    expect((await evaluate('--suite', 'two.eval.jsonl', '--fail-under', '0.75')).code).toBe(0);
  });

  it('keeps what is answered at Ctrl-C', async () => {
    const long = QUESTIONS.flatMap(prompt => [`${prompt} Tell me a long story.`, `${prompt} Why?`]);
    place.write('long.eval.jsonl', [
      { prompt: 'Hi', checks: [{ type: 'max_tokens', value: 1 }], max_new_tokens: 1 },
      ...long.map(prompt => ({ prompt, checks: [{ type: 'max_tokens', value: 1 }], max_new_tokens: 1000 })),
    ]);
    let interrupted = false;
    const { stdout, stderr, code } = await tunewright(
      ['evaluate', ...model, '--suite', 'long.eval.jsonl', '--json', '--junit', 'long.xml'],
      {
        ...at,
        onError: (text, child) => {
          if (!interrupted && text.includes('Answering')) interrupted = child.kill('SIGINT');
        },
      },
    );
    expect(code, stderr).toBe(130);
    const [report, error] = stdout
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as EvaluationReport);
    const { total, rows } = report!.models.base!;
    expect(total).toBeGreaterThan(0);
    expect(total).toBeLessThan(41);
    expect(rows[0]).toMatchObject({ id: 'line 1', passed: true });
    expect(error).toMatchObject({
      type: 'error',
      code: 'cancelled',
      message: `Stopped: ${total} of 41 rows are evaluated.`,
    });
    expect(readFileSync(place.file('long.xml'), 'utf8')).toContain(`tests="${total}"`);
  });

  it.each<[string, string[], string[]]>([
    ['neither a dataset nor a suite', [], ['--dataset', 'nothing to evaluate on']],
    ['both', ['--suite', 'two.eval.jsonl', '--dataset', 'sums.jsonl'], ['--suite', 'a dataset and a suite']],
    ['an option of datasets', ['--suite', 'two.eval.jsonl', '--batch-size', '2'], ['--batch-size', '--dataset only']],
    ['an option of suites', ['--dataset', 'sums.jsonl', '--fail-under', '1'], ['--fail-under', '--suite only']],
    ['an adapter without name', ['--suite', 'two.eval.jsonl', '--adapter', 'sums/adapter'], ['is not NAME=PATH']],
    ['two adapters on a dataset', ['--dataset', 'sums.jsonl', '--adapter', 'a', 'b'], ['--adapter', 'only one']],
    ['a suite as a dataset', ['--dataset', 'two.eval.jsonl'], ['this is an evaluation suite', '--suite']],
    ['another kind of file', ['--suite', 'sums.json'], ['sums.json', 'a JSON Lines file']],
    ['no file', ['--suite', 'none.eval.jsonl'], ['none.eval.jsonl']],
    ['a dataset as a suite', ['--suite', 'sums.jsonl'], ['sums.jsonl:1: checks', 'is missing']],
  ])('refuses %s', async (_, args, parts) => expectRefusal(await evaluate(...args), ...parts));
});

describe('suite', () => {
  it('has the rows that a run holds out, with their hashes', async () => {
    const { stdout } = await succeed(['suite', '--run', 'sums', '--out', 'held.eval.jsonl', '--json'], at);
    expect(JSON.parse(stdout)).toEqual({ file: place.file('held.eval.jsonl'), rows: 5, repeated: 0, unanswered: 0 });
    const rows = linesOf('held.eval.jsonl');
    expect(rows[0]).toEqual({
      prompt: expect.stringMatching(/^What is /) as string,
      expected: expect.stringMatching(/^It is \d+\.$/) as string,
      checks: [{ type: 'rouge_l' }],
      source: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string,
    });
    // The adapter of the run, and of one that continues from it, were not trained on them.
    const names = ['--adapter', 'a=sums/adapter', 'b=more/adapter'];
    expect((await evaluate('--suite', 'held.eval.jsonl', ...names)).code).toBe(0);
  });

  it('of a dataset has the rows that a run with the same share and seed holds out', async () => {
    const args = [
      'suite',
      '--dataset',
      'sums.jsonl',
      '--share',
      '0.25',
      '--check',
      'number',
      '--out',
      'same.eval.jsonl',
    ];
    await succeed(args, at);
    const sources = (file: string) => linesOf(file).map(({ source }) => source);
    expect(sources('same.eval.jsonl')).toEqual(sources('held.eval.jsonl'));
    expect(linesOf('same.eval.jsonl')[0]).toHaveProperty('checks', [{ type: 'number' }]);
  });

  it('of rows that are all on one line tells them apart', async () => {
    place.write('list.json', linesOf('sums.jsonl'));
    const run = place.run('listed', {
      model: 'embedded:tiny',
      dataset: { train: 'list.json', validation: 0.25, suites: ['list.eval.jsonl'] },
      training: { max_steps: 1 },
    });
    await succeed(['suite', '--run', run, '--out', 'list.eval.jsonl'], at);
    expect(linesOf('list.eval.jsonl')).toEqual(linesOf('held.eval.jsonl'));
    await succeed(['train', run, '--out', 'listed'], at);
    const { code, stderr } = await evaluate('--suite', 'list.eval.jsonl', '--adapter', 'it=listed/adapter');
    expect(code, stderr).toBe(0);
  });

  it('replaces an existing suite only with --force', async () => {
    place.write('mine.eval.jsonl', 'mine');
    const make = (...more: string[]) => tunewright(['suite', '--run', 'sums', '--out', 'mine.eval.jsonl', ...more], at);
    expectRefusal(await make(), 'mine.eval.jsonl', 'this file exists', '--force');
    expect(readFileSync(place.file('mine.eval.jsonl'), 'utf8')).toBe('mine');
    expect((await make('--force')).code).toBe(0);
    expect(linesOf('mine.eval.jsonl')).toEqual(linesOf('held.eval.jsonl'));
  });

  it('leaves out held-out rows that are trained on too', async () => {
    const pair = (prompt: string) => ({ prompt, completion: ' b' });
    place.write('train.jsonl', ['x', 'y'].map(pair));
    place.write('valid.jsonl', ['y', 'z', 'z'].map(pair));
    const run = place.run('twice', { dataset: { train: 'train.jsonl', validation: 'valid.jsonl' } });
    const { stdout } = await succeed(['suite', '--run', run, '--out', 'twice.eval.jsonl'], at);
    expect(stdout).toContain('1 row in twice.eval.jsonl\n  2 rows left out');
    expect(linesOf('twice.eval.jsonl')).toMatchObject([{ text: 'z', expected: 'b' }]);
  });

  it.each<[string, string[], string[]]>([
    ['no rows', [], ['--run']],
    ['both', ['--run', 'sums', '--dataset', 'sums.jsonl'], ['--dataset', 'a run and a dataset']],
    ['a run that holds nothing out', ['--run', 'more'], ['dataset.validation', 'trains on all rows']],
    ['a share of a run', ['--run', 'sums', '--share', '0.5'], ['--share', 'a run has its own']],
    ['a check that the answers don’t suit', ['--dataset', 'rows.jsonl', '--check', 'number'], ['no number in']],
  ])('refuses %s', async (_, args, parts) => {
    expectRefusal(await tunewright(['suite', '--out', 'no.eval.jsonl', ...args], at), ...parts);
  });
});

describe('what was trained on rows of the suite', () => {
  beforeAll(async () => {
    await succeed(['suite', '--dataset', 'sums.jsonl', '--share', '1', '--out', 'all.eval.jsonl'], at);
  });

  it.each(['sums', 'more'])('is refused, also if only the run that it continues from was: %s', async run => {
    const result = await evaluate('--suite', 'all.eval.jsonl', '--adapter', `it=${run}/adapter`);
    expectRefusal(
      result,
      /all\.eval\.jsonl:\d+: source: "it" was trained on 15 of 20 rows of the suite/,
      'sums.jsonl:',
    );
  });

  it('is refused at a checkpoint too', async () => {
    const result = await evaluate('--suite', 'all.eval.jsonl', '--adapter', 'it=sums/checkpoints/step-2');
    expectRefusal(result, '"it" was trained on 15 of 20 rows');
  });

  it('is refused as a model that was trained as a whole', async () => {
    const run = place.run('full', {
      model: 'embedded:tiny',
      dataset: { train: 'sums.jsonl' },
      method: { peft_type: 'FULL' },
      training: { max_steps: 1 },
    });
    await succeed(['train', run, '--out', 'full'], at);
    const result = await tunewright(['evaluate', '--model', 'full/model', '--suite', 'all.eval.jsonl'], at);
    expectRefusal(result, '"base" was trained on 20 of 20 rows');
  });

  it('is refused before a run that names the suite', async () => {
    const run = (name: string, suite: string) =>
      place.run(name, {
        model: 'embedded:tiny',
        dataset: { train: 'sums.jsonl', validation: 0.25, suites: [suite] },
        training: { max_steps: 1 },
      });
    const refused = await tunewright(['train', run('named', 'all.eval.jsonl'), '--out', 'named'], at);
    expectRefusal(refused, /all\.eval\.jsonl:\d+: dataset\.suites: the run would train on 15 of 20 rows of the suite/);
    await succeed(['train', run('fits', 'held.eval.jsonl'), '--out', 'fits'], at);
  });

  it('can’t be told once its rows have changed, which is said', async () => {
    const rows = readFileSync(place.file('sums.jsonl'), 'utf8');
    place.write('sums.jsonl', `${rows}${rows.split('\n')[0]}\n`);
    const { code, stderr } = await evaluate('--suite', 'all.eval.jsonl', '--adapter', 'it=sums/adapter');
    place.write('sums.jsonl', rows);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(
      /whether "it" was trained on rows of the suite is unknown, .*: its training rows have changed/,
    );
  });
});

it('never writes over the suite that it reads', async () => {
  const before = readFileSync(place.file('two.eval.jsonl'), 'utf8');
  const result = await evaluate('--suite', 'two.eval.jsonl', '--junit', 'two.eval.jsonl');
  expectRefusal(result, 'this is the file that is read', '--junit');
  expect(readFileSync(place.file('two.eval.jsonl'), 'utf8')).toBe(before);
});
