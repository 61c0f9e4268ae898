// What a race folder has, when its files are damaged or were changed by hand: a message with the place, never an error of the program.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readInputs, readRace, readRaceFolder, writeRace } from '../../../../extension/src/engine/race/raceFolder.js';
import { raceConfigSchema } from '../../../../extension/src/protocol/raceConfig.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-race-folder-'));
afterAll(() => rmSync(folder, { recursive: true }));
const write = (name: string, content: unknown) =>
  writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));

const RUN = {
  model: 'embedded:tiny',
  dataset: { train: '/data/rows.jsonl', validation: 0.1 },
  method: { peft_type: 'LORA' },
};

describe('the race', () => {
  it('is what was written', () => {
    const race = { ...raceConfigSchema.parse({ name: 'a', run: RUN, vary: [{}] }), run: RUN };
    writeRace(folder, race, { model: 'm', train: 't', validation: null });
    expect(readRace(folder)).toEqual(race);
    expect(readInputs(folder)).toEqual({ model: 'm', train: 't', validation: null });
  });

  it.each([
    { what: 'text', race: '{"run": ', key: undefined },
    { what: 'a list', race: [], key: undefined },
    { what: 'no entry', race: { run: RUN, vary: [] }, key: 'vary' },
    { what: 'a seed that isn’t whole', race: { run: RUN, vary: [{}], seeds: [0.5] }, key: 'seeds.0' },
    { what: 'the path of a run file', race: { run: 'a.tune.json', vary: [{}] }, key: 'run' },
    { what: 'a run without a method', race: { run: { ...RUN, method: {} }, vary: [{}] }, key: 'run.method.peft_type' },
    { what: 'a run with an unknown key', race: { run: { ...RUN, modell: 1 }, vary: [{}] }, key: 'run.modell' },
  ])('with $what is refused with its place', async ({ race, key }) => {
    write('race.json', race);
    const { file, key: at } = (await inputErrorOf(() => readRace(folder))).record();
    expect(file).toBe(join(folder, 'race.json'));
    expect(at).toBe(key);
  });

  it('that is missing is no race folder', async () => {
    rmSync(join(folder, 'race.json'));
    expect((await inputErrorOf(() => readRace(folder))).record().hint).toMatch(/tunewright race/);
  });
});

it('lines of events that are damaged don’t count', () => {
  const race = { ...raceConfigSchema.parse({ name: 'a', run: RUN, vary: [{ name: 'a' }], seeds: [1] }), run: RUN };
  writeRace(folder, race, { model: 'm', train: 't', validation: null });
  mkdirSync(join(folder, 'runs/a-seed1'), { recursive: true });
  const failed = { seq: 1, time: '2026-01-01T00:00:00.000Z', type: 'failed', step: 0, message: 'no memory' };
  write('runs/a-seed1/events.ndjson', `{"type":"sta\n${JSON.stringify({ ...failed, last_checkpoint: null })}\n`);
  expect(readRaceFolder(folder).runs).toMatchObject([{ name: 'a', status: 'failed', failure: 'no memory' }]);
});

describe('the inputs', () => {
  it('of an older race folder may be missing', () => {
    rmSync(join(folder, 'inputs.json'), { force: true });
    expect(readInputs(folder)).toBeNull();
  });

  it.each([
    { inputs: [], key: undefined },
    { inputs: {}, key: 'model' },
    { inputs: { model: 1, train: 't', validation: null }, key: 'model' },
  ])('that are damaged are not taken for none: $inputs', async ({ inputs, key }) => {
    write('inputs.json', inputs);
    const { file, key: at } = (await inputErrorOf(() => readInputs(folder))).record();
    expect(file).toBe(join(folder, 'inputs.json'));
    expect(at).toBe(key);
  });
});
