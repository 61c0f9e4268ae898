// Race files as they are read, before anything is planned, and the steps of a budget in tokens.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { planRace, readRaceFile } from '../../../../extension/src/engine/race/planRace.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-race-'));
afterAll(() => rmSync(folder, { recursive: true }));

const RUN = {
  model: 'embedded:tiny',
  dataset: { train: 'rows.jsonl', validation: 0.1 },
  method: { peft_type: 'LORA' },
};

function write(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

describe('a race file', () => {
  it('has its run, or the path of its run file; paths are relative to the file that has the run', () => {
    write('a.tune.json', RUN);
    for (const run of ['a.tune.json', join(folder, 'a.tune.json'), RUN]) {
      const { race } = readRaceFile(write('a.race.json', { run, vary: [{}] }));
      expect(race.run['dataset']).toMatchObject({ train: join(folder, 'rows.jsonl'), validation: 0.1 });
      expect(race.run['model']).toBe('embedded:tiny');
    }
  });

  const refused = (content: unknown) => inputErrorOf(() => readRaceFile(write('bad.race.json', content)));

  it.each([
    { what: 'text', race: '{"run": ', key: undefined },
    { what: 'a list', race: [], key: undefined },
    { what: 'a missing run file', race: { run: 'no.json', vary: [{}] }, key: 'run' },
    { what: 'no run', race: { vary: [{}] }, key: 'run' },
    { what: 'no entry', race: { run: RUN, vary: [] }, key: 'vary' },
    { what: 'an unknown key', race: { run: RUN, vary: [{}], seed: [1] }, key: 'seed' },
    { what: 'an unknown key of an entry', race: { run: RUN, vary: [{ methods: {} }] }, key: 'vary.0.methods' },
    { what: 'a budget of two', race: { run: RUN, vary: [{}], budget: { max_steps: 1, minutes: 1 } }, key: 'budget' },
    { what: 'an empty budget', race: { run: RUN, vary: [{}], budget: {} }, key: 'budget' },
    { what: 'a seed that isn’t whole', race: { run: RUN, vary: [{}], seeds: [0.5] }, key: 'seeds.0' },
    { what: 'no seed', race: { run: RUN, vary: [{}], seeds: [] }, key: 'seeds' },
    { what: 'a long name', race: { run: RUN, vary: [{ name: 'x'.repeat(61) }] }, key: 'vary.0.name' },
    { what: 'an empty grid', race: { run: RUN, vary: [{ grid: { 'method.r': [] } }] }, key: 'vary.0.grid.method.r' },
    { what: 'a run with an unknown key', race: { run: { ...RUN, modell: 1 }, vary: [{}] }, key: 'run.modell' },
    {
      what: 'a run that holds no rows out',
      race: { run: { ...RUN, dataset: { train: 'rows.jsonl' } }, vary: [{}] },
      key: 'run.dataset.validation',
    },
  ])('with $what is refused with its place', async ({ race, key }) => {
    const { file, key: at, message } = (await refused(race)).record();
    expect(file).toBe(join(folder, 'bad.race.json'));
    expect(at).toBe(key);
    expect(message).not.toMatch(/undefined|\[object/);
  });

  it('whose run file is wrong names that file', async () => {
    const run = write('bad.tune.json', { ...RUN, method: { peft_type: 'LORRA' } });
    expect((await refused({ run: 'bad.tune.json', vary: [{}] })).record()).toMatchObject({
      file: run,
      key: 'method.peft_type',
    });
    write('plain.tune.json', { ...RUN, dataset: { train: 'rows.jsonl' } });
    expect((await refused({ run: 'plain.tune.json', vary: [{}] })).record()).toMatchObject({
      key: 'dataset.validation',
    });
  });

  it('that doesn’t exist is said to', async () => {
    expect((await inputErrorOf(() => readRaceFile(join(folder, 'none.race.json')))).message).toMatch(/does not exist/);
  });

  it('with several faults in its run has the key of each', async () => {
    const { message } = await refused({ run: { model: 'm' }, vary: [{}] });
    expect(message).toMatch(/\n {2}run\.method: is missing/);
  });
});

it('plans entries for a cluster as a cluster will, before the first of them is sent', async () => {
  write('rows.jsonl', Array.from({ length: 20 }, (_, i) => JSON.stringify({ text: `row ${i} of these` })).join('\n'));
  const engine = { backend: 'ray', address: 'http://127.0.0.1:1' };
  const plan = (vary: unknown[]) =>
    planRace(readRaceFile(write('cluster.race.json', { run: { ...RUN, engine }, vary })), {
      signal: new AbortController().signal,
    });
  expect((await plan([{}])).entries).toHaveLength(1);
  const error = await inputErrorOf(() => plan([{}, { name: 'other', method: { peft_type: 'BOTTLENECK_ADAPTER' } }]));
  expect(error.message).toContain('has no method BOTTLENECK_ADAPTER');
});
