// Races through the real command line: two entries on the embedded model, interrupted and resumed; a run that fails; what is wrong
// with a race before anything is trained; budgets.
import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import type { RaceResult } from '../../../extension/src/protocol/raceConfig.js';
import type { EngineEvent } from '../../../extension/src/protocol/engineEvent.js';
import { expectRefusal, succeed, tunewright, workplace } from '../../support/cli.js';

// The machine may be busy.
vi.setConfig({ testTimeout: 240_000 });

const place = workplace();
afterAll(() => place.remove());

const PIRATE = new URL('../../../media/datasets/', import.meta.url).pathname;
const EMBEDDED = {
  model: 'embedded:tiny',
  dataset: {
    train: `${PIRATE}pirate.messages.jsonl`,
    validation: `${PIRATE}pirate.validation.jsonl`,
    max_length: 128,
  },
  method: { peft_type: 'LORA', r: 2 },
  training: { per_device_train_batch_size: 4, learning_rate: 5e-3 },
};
const TINY = {
  model: 'base',
  dataset: { train: 'rows.jsonl', validation: 0.25, max_length: 48 },
  method: { peft_type: 'LORA', r: 2 },
  training: { per_device_train_batch_size: 2, learning_rate: 5e-3 },
};

type RaceLine = (EngineEvent & { entry: { name: string; seed: number; run: string } }) | RaceCompleted;
interface RaceCompleted {
  type: 'race_completed';
  entries: RaceResult[];
}

const linesOf = (stdout: string) =>
  stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as RaceLine);
const completedOf = (stdout: string) => linesOf(stdout).at(-1) as RaceCompleted;

it('a race on the embedded model is interrupted, resumed and reported', async () => {
  const race = place.write('embedded.race.json', {
    name: 'two',
    run: EMBEDDED,
    vary: [{}, { method: { peft_type: 'FULL' }, training: { learning_rate: 5e-4 } }],
    seeds: [1],
    budget: { max_steps: 30 },
  });
  const out = place.file('two');
  let hasStopped = false;
  const stopped = await tunewright(['race', race, '--out', out, '--json'], {
    onLine: (line, child) => {
      const { type, entry } = JSON.parse(line) as { type: string; entry: { name: string } };
      if (hasStopped || type !== 'step' || entry.name !== 'FULL learning_rate=0.0005') return;
      // A second signal would quit without a checkpoint.
      hasStopped = child.kill('SIGINT');
    },
  });
  expect(stopped.code, stopped.stderr).toBe(130);
  expect(JSON.parse(stopped.stdout.trimEnd().split('\n').at(-1)!)).toMatchObject({ type: 'error', code: 'cancelled' });
  expect(stopped.stderr).toContain(`Stopped. Continue with: tunewright race ${race} --out ${out} --resume`);
  const first = place.events('two/runs/LORA-seed1');
  expect(first.at(-1)).toMatchObject({ type: 'completed', reason: 'finished', step: 30 });
  const ended = place.events('two/runs/FULL-learning_rate-0.0005-seed1').at(-1);
  expect(ended).toMatchObject({ type: 'completed', reason: 'stopped' });

  const resumed = await succeed(['race', race, '--out', out, '--resume', '--json']);
  expect(place.events('two/runs/LORA-seed1')).toEqual(first);
  const events = linesOf(resumed.stdout).slice(0, -1) as Exclude<RaceLine, RaceCompleted>[];
  expect(new Set(events.map(({ entry }) => entry.name))).toEqual(new Set(['FULL learning_rate=0.0005']));
  expect(events[0]).toMatchObject({ type: 'started', resumed_from_step: (ended as { step: number }).step });
  const { entries } = completedOf(resumed.stdout);
  expect(entries.map(({ name, seed, run, status, score }) => [name, seed, basename(run), status, score])).toEqual([
    ['LORA', 1, 'LORA-seed1', 'finished', null],
    ['FULL learning_rate=0.0005', 1, 'FULL-learning_rate-0.0005-seed1', 'finished', null],
  ]);
  for (const { name, trainable_parameters: trained, ...figures } of entries) {
    expect(trained, name).toBeGreaterThan(0);
    for (const key of ['validation_loss', 'peak_rss_bytes', 'train_seconds', 'kl_from_base', 'general_loss'] as const)
      expect(figures[key], `${name} ${key}`).toBeGreaterThan(0);
  }

  // The second run took the base's evaluation from the first, and all of them the tokens of the race's plan.
  const evaluations = entries.map(({ run }) =>
    place.events(run.slice(place.path.length + 1)).filter(event => event.type === 'evaluated' && event.step === 0),
  );
  expect(evaluations.map(([event]) => 'cached' in event!)).toEqual([false, true]);
  expect(evaluations[1]![0]).toMatchObject({ loss: (evaluations[0]![0] as { loss: number }).loss });
  expect(readdirSync(place.file('two', 'cache')).map(name => name.split('-')[0])).toEqual(['base', 'tokens', 'tokens']);

  for (const file of ['report.md', 'runs.csv', 'loss-parameters.svg', 'loss-memory.svg', 'loss-time.svg'])
    expect(existsSync(place.file('two', file)), file).toBe(true);
  const report = readFileSync(place.file('two', 'report.md'), 'utf8');
  const { stdout } = await succeed(['race', '--report', out, '--under', '1MB']);
  expect(stdout).toContain('No entry stays under 1 MB with all of its seeds.');
  const twice = await tunewright(['race', '--report', out, '--under', '1GB', '800MB']);
  expectRefusal(twice, '--under has two limits of memory');
  await succeed(['race', '--report', out]);
  expect(readFileSync(place.file('two', 'report.md'), 'utf8')).toBe(report);
});

it('the editor starts a race in a folder with its log, and stops it by a command in the folder', async () => {
  const race = place.write('steered.race.json', {
    run: TINY,
    vary: [{ name: 'first' }, { name: 'second' }],
    budget: { max_steps: 5000 },
  });
  const out = place.file('steered');
  place.write('steered/engine.log', '');
  // For another process, which has ended.
  place.write('steered/commands.ndjson', '{"type":"stop"}\n');
  let hasStopped = false;
  const { code, stderr } = await tunewright(['race', race, '--out', out, '--json'], {
    onLine: line => {
      if (hasStopped || (JSON.parse(line) as { type: string }).type !== 'step') return;
      hasStopped = true;
      appendFileSync(place.file('steered', 'commands.ndjson'), '{"type":"stop"}\n');
    },
  });
  expect(code, stderr).toBe(1);
  expect(stderr).toContain('Stopped. Continue with: tunewright race');
  expect(place.events('steered/runs/first-seed42').at(-1)).toMatchObject({ type: 'completed', reason: 'stopped' });
  expect(existsSync(place.file('steered', 'runs/second-seed42'))).toBe(false);
});

it('a run that fails is shown as failed, stays so, and the others go on', async () => {
  const race = place.write('failing.race.json', {
    run: TINY,
    vary: [{ name: 'diverges', training: { learning_rate: 1e38, lr_scheduler_type: 'constant' } }, { name: 'learns' }],
    budget: { max_steps: 6 },
  });
  const out = place.file('failing');
  const { stdout, stderr } = await succeed(['race', race, '--out', out]);
  expect(stderr).toContain('[2/2] learns, seed 42');
  expect(stdout).toMatch(/^diverges, seed 42 failed: .*non-finite/m);
  expect(stderr).toMatch(/^diverges, seed 42 failed: .*non-finite/m);
  expect(stdout).not.toContain('{"');
  expect(stdout).toMatch(/^The best: learns, /m);
  const again = await succeed(['race', race, '--out', out, '--resume', '--json']);
  expect(completedOf(again.stdout).entries.map(({ status, validation_loss: loss }) => [status, loss === null])).toEqual(
    [
      ['failed', true],
      ['finished', false],
    ],
  );

  const longer = place.write('failing.race.json', { run: TINY, vary: [{ name: 'learns' }], budget: { max_steps: 9 } });
  const other = await tunewright(['race', longer, '--out', out, '--resume']);
  expectRefusal(
    other,
    'training.max_steps',
    '"learns" with seed 42 was run with another value',
    'Delete its run folder',
  );
  place.write('rows.jsonl', [
    { prompt: 'a', completion: 'b' },
    { prompt: 'c', completion: 'd' },
  ]);
  expectRefusal(
    await tunewright(['race', race, '--out', out, '--resume']),
    'the training rows changed since this race began',
  );
});

it('a run whose process is killed is shown as failed, and the others go on', async () => {
  const race = place.write('killed.race.json', {
    run: TINY,
    vary: [
      { name: 'killed', training: { max_steps: 100_000 } },
      { name: 'learns', training: { max_steps: 2 } },
    ],
  });
  const out = place.file('killed');
  const { stdout } = await succeed(['race', race, '--out', out, '--json'], {
    onLine: line => {
      const { type, entry } = JSON.parse(line) as Exclude<RaceLine, RaceCompleted>;
      if (type !== 'started' || entry.name !== 'killed') return;
      const { pid } = JSON.parse(readFileSync(`${entry.run}/process.json`, 'utf8')) as { pid: number };
      process.kill(pid, 'SIGKILL');
    },
  });
  expect(completedOf(stdout).entries.map(({ status }) => status)).toEqual(['failed', 'finished']);
  expect(linesOf(stdout).find(line => line.type === 'failed')).toMatchObject({
    message: expect.stringContaining('ended by SIGKILL'),
    entry: { name: 'killed' },
  });
});

it('suites of the run file give the base and each run a score, again if a suite has changed', async () => {
  const never = { type: 'exact', value: 'never' };
  const always = { type: 'not_contains', value: 'never' };
  const suite = (rows: unknown[][]) =>
    place.write(
      's.eval.jsonl',
      rows.map(checks => ({ prompt: 'Say ab', max_new_tokens: 4, checks })),
    );
  const out = place.file('scored');
  const race = (...flags: string[]) =>
    succeed([
      'race',
      place.write('scored.race.json', {
        run: { ...TINY, dataset: { ...TINY.dataset, suites: ['s.eval.jsonl'] } },
        vary: [{}, { method: { peft_type: 'FULL' } }],
        budget: { max_steps: 1 },
      }),
      ...['--out', out, '--json', ...flags],
    ]);
  suite([[never], [always], [never, always]]);
  const first = completedOf((await race()).stdout);
  expect(first.entries.map(({ score }) => score)).toEqual([0.5, 0.5]);
  expect(readFileSync(place.file('scored', 'report.md'), 'utf8')).toContain('Without training, the base scores 50%.');
  expect(existsSync(place.file('scored', 'score-memory.svg'))).toBe(true);
  const finished = place.events('scored/runs/FULL-seed42');

  suite([[never], [always], [never, always], [always]]);
  const second = completedOf((await race('--resume')).stdout);
  expect(second.entries.map(({ score }) => score)).toEqual([0.625, 0.625]);
  expect(place.events('scored/runs/FULL-seed42')).toEqual(finished);
});

it('every run is checked before the first begins, and nothing is left behind', async () => {
  const race = place.write('bad.race.json', {
    run: TINY,
    vary: [{}, { method: { peft_type: 'PROMPT_TUNING', num_virtual_tokens: 4000 } }],
  });
  const result = await tunewright(['race', race, '--out', place.file('bad')]);
  expectRefusal(
    result,
    'bad.race.json: vary.1.method.num_virtual_tokens',
    'entry "PROMPT_TUNING num_virtual_tokens=4000"',
  );
  expect(existsSync(place.file('bad'))).toBe(false);
  const unknown = place.write('bad.race.json', { run: TINY, vary: [{ method: { target_modules: ['no_such'] } }] });
  expectRefusal(await tunewright(['race', unknown, '--out', place.file('bad')]), 'vary.0.method.target_modules');
  expect(existsSync(place.file('bad'))).toBe(false);
  const reduced = place.write('bad.race.json', {
    run: { ...TINY, engine: { base_weights: 'int8' } },
    vary: [{}, { method: { peft_type: 'FULL' } }],
  });
  expectRefusal(
    await tunewright(['race', reduced, '--out', place.file('bad')]),
    'run.engine.base_weights',
    'entry "FULL"',
  );
  const endless = place.write('bad.race.json', { run: TINY, vary: [{}], budget: { tokens: 2 ** 50 } });
  expectRefusal(
    await tunewright(['race', endless, '--out', place.file('bad')]),
    'bad.race.json: budget.tokens',
    'steps',
  );
  expect((await tunewright(['race'])).code).toBe(2);
  expectRefusal(await tunewright(['race', unknown, '--out', place.file('bad'), '--resume']), 'does not contain a race');
  expectRefusal(await tunewright(['race', '--report', place.file('base')]), 'does not contain a race');
});

it('budgets in tokens and in minutes', async () => {
  place.write(
    'many.jsonl',
    Array.from({ length: 24 }, (_, i) => ({ prompt: `Say ${i}`, completion: ' ab.' })),
  );
  const run = { ...TINY, dataset: { ...TINY.dataset, train: 'many.jsonl', packing: false } };
  const race = (name: string, budget: unknown) =>
    succeed([
      'race',
      place.write(`${name}.race.json`, { run, vary: [{}], budget }),
      '--out',
      place.file(name),
      '--json',
    ]);
  const tokens = await race('tokens', { tokens: 100 });
  const steps = linesOf(tokens.stdout).filter(line => line.type === 'step');
  expect(steps.at(-1)!.num_tokens).toBeGreaterThanOrEqual(100);
  expect(steps.at(-2)!.num_tokens).toBeLessThan(100);
  const minutes = await race('minutes', { minutes: 1e-9 });
  expect(linesOf(minutes.stdout).find(line => line.type === 'completed')).toMatchObject({
    reason: 'time_limit',
    step: 1,
  });
  expect(completedOf(minutes.stdout).entries[0]).toMatchObject({ status: 'finished' });
});
