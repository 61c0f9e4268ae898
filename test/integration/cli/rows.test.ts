// `tunewright rows` and `quarantine` as a user types them: the rows of a step with their losses then and now, wrong answers found among
// right ones, left out of the next run, and taken back.
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  rankedRowsSchema,
  stepRowsSchema,
  type RankedRows,
  type StepRows,
} from '../../../extension/src/protocol/rowLosses.js';
import { expectRefusal, succeed, tunewright, workplace } from '../../support/cli.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const place = workplace();
afterAll(() => place.remove());
const at = { cwd: place.path };

const ANIMALS =
  'dog cat cow horse sheep goat pig lion tiger bear wolf fox deer mouse rat duck hen goose swan eagle'.split(' ');
const PLANTS =
  'oak elm rose tulip lily daisy fern moss grass wheat rye corn rice bean pea carrot potato onion leek ivy'.split(' ');
/** Lines of the rows with the wrong answer. */
const WRONG = [5, 18, 27];

const linesIn = (stdout: string) =>
  stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as { type: string });
async function stepRows(run: string, step: number, ...more: string[]): Promise<StepRows> {
  const { stdout } = await succeed(['rows', run, '--step', String(step), '--json', ...more], at);
  return stepRowsSchema.parse(linesIn(stdout).at(-1));
}
async function ranked(run: string, by: string, ...more: string[]): Promise<RankedRows> {
  const { stdout } = await succeed(['rows', run, '--by', by, '--json', ...more], at);
  return rankedRowsSchema.parse(linesIn(stdout).at(-1));
}
const train = (name: string, changes: Parameters<typeof place.run>[1], ...more: string[]) =>
  succeed(['train', place.run(name, { model: 'embedded:tiny', ...changes }), '--out', name, ...more], at);

beforeAll(async () => {
  const rows = ANIMALS.flatMap((animal, i) => [
    { prompt: `Is a ${animal} an animal or a plant? `, completion: 'animal' },
    { prompt: `Is a ${PLANTS[i]!} an animal or a plant? `, completion: 'plant' },
  ]);
  for (const line of WRONG) rows[line - 1]!.completion = line % 2 === 1 ? 'plant' : 'animal';
  place.write('labels.jsonl', rows);
  await train('labels', {
    dataset: { train: 'labels.jsonl', packing: false },
    training: { max_steps: -1, num_train_epochs: 8, per_device_train_batch_size: 4, learning_rate: 3e-3 },
  });
});

describe('rows', () => {
  it('of a step: those of its batch, with the loss that they had', async () => {
    const first = await stepRows('labels', 1);
    expect(first).toMatchObject({ step: 1, epoch: 1, weights: null, file: place.file('labels.jsonl') });
    const loss = place.events('labels').find(event => event.type === 'step')!.loss;
    const tokens = first.rows.reduce((sum, row) => sum + row.label_tokens, 0);
    const mean = first.rows.reduce((sum, row) => sum + row.then! * row.label_tokens, 0) / tokens;
    expect(mean).toBeCloseTo(loss, 3);
    expect(first.rows.map(({ before, now }) => [before, now])).toEqual(first.rows.map(() => [null, null]));

    // An adapter changes nothing before its first update, so the loss then is that of the base.
    const measured = await stepRows('labels', 1, '--losses');
    expect(measured.weights).toBe('adapter');
    for (const { then, before, now, line } of measured.rows) {
      expect(before, `line ${line}`).toBeCloseTo(then!, 2);
      expect(now, `line ${line}`).toBeLessThan(before!);
    }
    // What is measured is kept.
    const again = await stepRows('labels', 1);
    expect(again).toEqual(measured);
    const epochs = await Promise.all([10, 11].map(step => stepRows('labels', step)));
    expect(epochs.map(({ epoch }) => epoch)).toEqual([1, 2]);

    const { stdout } = await succeed(['rows', 'labels', '--step', '1'], at);
    expect(stdout).toMatch(
      /^step 1, epoch 1: 4 rows of .*labels\.jsonl\n\nline +then +before +now +label tokens +row\n/,
    );
  });

  it('by loss: wrong answers first, and every row once', async () => {
    const suspect = await ranked('labels', 'suspect', '--top', '6');
    expect(suspect).toMatchObject({ by: 'suspect', measured: 40, weights: 'adapter' });
    const found = suspect.rows.map(({ line }) => line);
    expect(
      WRONG.filter(line => found.includes(line)),
      `found ${found.join(', ')}`,
    ).toEqual(WRONG);
    const highest = await ranked('labels', 'highest', '--top', '99');
    expect(highest.rows.map(({ line }) => line).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 40 }, (_, i) => i + 1),
    );
    const lowest = await ranked('labels', 'lowest', '--top', '99');
    expect(lowest.rows.map(({ now }) => now)).toEqual(highest.rows.map(({ now }) => now).toReversed());
    const changed = (await ranked('labels', 'changed')).rows.map(({ before, now }) => Math.abs(now! - before!));
    expect(changed).toEqual(changed.toSorted((a, b) => b - a));
    // The same losses as `evaluate` measures.
    const flags = ['--model', 'embedded:tiny', '--dataset', 'labels.jsonl', '--worst', '3', '--json'];
    const { stdout } = await succeed(['evaluate', ...flags, '--adapter', 'labels/adapter'], at);
    const { worst } = JSON.parse(stdout) as { worst: { line: number; loss: number }[] };
    worst.forEach(({ line, loss }) => expect(highest.rows.find(row => row.line === line)!.now).toBeCloseTo(loss, 3));
  });

  it('of a trained model, and of a run that has only a checkpoint', async () => {
    const training = { max_steps: 3, save_steps: 2, learning_rate: 1e-3 };
    await train('full', { dataset: { train: 'labels.jsonl' }, method: { peft_type: 'FULL' }, training });
    const whole = await ranked('full', 'highest', '--top', '2');
    expect(whole.weights).toBe('model');
    expect(whole.rows.every(({ before, now }) => now! < before!)).toBe(true);

    // As if it were still running.
    const events = place.file('full', 'events.ndjson');
    const kept = readFileSync(events, 'utf8').replace(/^.*"type":"completed".*\n/m, '');
    writeFileSync(events, kept);
    rmSync(place.file('full', 'row-losses.json'));
    const early = await ranked('full', 'highest', '--top', '2');
    expect(early.weights).toBe('checkpoints/step-3');
    early.rows.forEach(({ now }, i) => expect(now).toBeCloseTo(whole.rows[i]!.now!, 3));
    rmSync(place.file('full', 'checkpoints'), { recursive: true });
    expectRefusal(
      await tunewright(['rows', 'full', '--by', 'highest'], at),
      'neither a result nor a checkpoint',
      'full',
    );
    expect((await stepRows('full', 1)).rows.length).toBeGreaterThan(0);
  });

  it('refuses what can’t be answered', async () => {
    const rows = (...args: string[]) => tunewright(['rows', ...args], at);
    expectRefusal(await rows('labels'), 'there is nothing to list', '--step');
    expectRefusal(await rows('labels', '--step', '1', '--by', 'highest'), 'there are a step and an order');
    expectRefusal(await rows('labels', '--by', 'highest', '--losses'), '--losses', 'for --step only');
    expectRefusal(await rows('labels', '--step', '1', '--top', '3'), '--top', 'for --by only');
    expectRefusal(await rows('labels', '--step', '81'), 'the run has trained 80 steps');
    expectRefusal(await rows('nowhere', '--step', '1'), 'this folder does not contain a run');
    const { code } = await rows('labels', '--step', '0');
    expect(code).toBe(2);
  });
});

describe('quarantine', () => {
  it('leaves rows out of the next run, of its estimate and of its resumed parts, until they are taken back', async () => {
    const file = place.file('labels.jsonl.quarantine');
    const dataset = readFileSync(place.file('labels.jsonl'), 'utf8');
    const suspect = (await ranked('labels', 'suspect', '--top', '1')).rows[0]!;
    const { stdout } = await succeed(['quarantine', 'labels', '--add', suspect.hash, '7', '--json'], at);
    expect((JSON.parse(stdout) as { file: string; rows: unknown[] }).rows).toHaveLength(2);
    expect(readFileSync(place.file('labels.jsonl'), 'utf8')).toBe(dataset);
    expect((await ranked('labels', 'suspect', '--top', '1')).rows[0]!.quarantined).toBe(true);

    const without = { dataset: { train: 'labels.jsonl', exclude: 'labels.jsonl.quarantine', packing: false } };
    const training = { max_steps: 4, per_device_train_batch_size: 4 };
    const run = await train('without', { ...without, training });
    expect(run.stderr).toMatch(/Tokenizing|2 rows of the training set excluded by .*labels\.jsonl\.quarantine/);
    const events = place.events('without');
    expect(events.find(event => event.type === 'started')!.train_rows).toBe(38);
    expect(events.find(event => event.type === 'warned')).toMatchObject({
      code: 'rows_excluded',
      message: expect.stringMatching(
        /^2 rows of the training set excluded by .*labels\.jsonl\.quarantine \(/,
      ) as string,
    });
    const epoch = { ...training, max_steps: -1, num_train_epochs: 1 };
    const estimated = await succeed(
      ['estimate', place.run('epoch', { ...without, model: 'embedded:tiny', training: epoch }), '--json'],
      at,
    );
    expect((JSON.parse(estimated.stdout) as { total_steps: number }).total_steps).toBe(10);

    const inspected = await succeed(['inspect', 'labels.jsonl'], at);
    expect(inspected.stdout).toMatch(/quarantine +2 rows/);

    // Rows that are added later don't change what the run did, and does when it is resumed.
    const before = await stepRows('without', 2);
    await succeed(['quarantine', 'labels.jsonl', '--add', '1', '2', '3'], at);
    expect((await stepRows('without', 2)).rows.map(({ line }) => line)).toEqual(before.rows.map(({ line }) => line));
    await train('without', { ...without, training: { ...training, max_steps: 6 } }, '--resume');
    expect(place.events('without').some(event => event.type === 'warned' && event.code === 'dataset_changed')).toBe(
      false,
    );
    expect(place.events('without').findLast(event => event.type === 'started')!.train_rows).toBe(38);

    const listed = await succeed(['quarantine', 'labels.jsonl'], at);
    expect(listed.stdout).toMatch(/^5 rows in .*labels\.jsonl\.quarantine\n/);
    // As the table prints it.
    const short = suspect.hash.slice(0, 15);
    expect(listed.stdout).toContain(short);
    await succeed(['quarantine', 'labels.jsonl', '--remove', '1', '2', '3', '7', short], at);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ rows: [] });
    expect(statSync(file).isFile()).toBe(true);
  });

  it('says what is wrong with a file that a run names', async () => {
    const run = (name: string) =>
      tunewright(['train', place.run(name, { dataset: { exclude: `${name}.quarantine` } }), '--out', name], at);
    expectRefusal(await run('missing'), 'the quarantine file does not exist', 'missing.quarantine', 'dataset.exclude');
    place.write('bad.quarantine', { rows: [{ hash: 'x', line: 1 }] });
    expectRefusal(await run('bad'), 'bad.quarantine', 'rows.0.hash');
    expect([existsSync(place.file('missing')), existsSync(place.file('bad'))]).toEqual([false, false]);
    expectRefusal(
      await tunewright(['quarantine', 'rows.jsonl', '--add', '99'], at),
      'no row that can be used begins at line 99',
    );
    expectRefusal(
      await tunewright(['quarantine', 'rows.jsonl', '--remove', '0'], at),
      '"0" is neither a line nor a hash',
    );
    expectRefusal(await tunewright(['quarantine', 'nowhere.jsonl'], at), 'nowhere.jsonl');
  });

  it('refuses lines of a run whose dataset was edited since: they may be other rows now', async () => {
    const before = readFileSync(place.file('labels.jsonl'), 'utf8');
    const { hash } = (await ranked('labels', 'highest', '--top', '1')).rows[0]!;
    place.write('labels.jsonl', `${before.split('\n').slice(1).join('\n')}`);
    try {
      expectRefusal(
        await tunewright(['quarantine', 'labels', '--add', '7'], at),
        'labels.jsonl:7',
        'edited since the run',
      );
      await succeed(['quarantine', 'labels', '--add', hash], at);
      await succeed(['quarantine', 'labels.jsonl', '--add', '7'], at);
    } finally {
      place.write('labels.jsonl', before);
    }
  });
});
