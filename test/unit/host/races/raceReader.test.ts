// What the files of a race say: before it was started, while it runs, after it ended, and with files that aren't what they should be.
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RaceReader } from '../../../../extension/src/host/races/raceReader.js';
import { claimFile } from '../../../../extension/src/system/fileClaim.js';

const recorded = readFileSync(new URL('../../../fixtures/runs/pirate-lora.ndjson', import.meta.url), 'utf8')
  .trim()
  .split('\n');
const RUN = {
  model: 'm',
  dataset: { train: '/rows.jsonl', validation: 0.1, suites: ['/a.eval.jsonl'] },
  method: { peft_type: 'LORA' },
  training: { load_best_model_at_end: true },
};
const RACE = { name: 'a', run: RUN, vary: [{ name: 'x' }] };

let folder: string;
let race: string;
let reader: RaceReader;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunewright-race-'));
  race = join(folder, 'races/a-20260131-142500');
  reader = new RaceReader();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, content: unknown): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}
const runFolder = () => join(race, 'runs/x-seed42');
const events = (from: number, to?: number) =>
  appendFileSync(
    join(runFolder(), 'events.ndjson'),
    recorded
      .slice(from, to)
      .map(line => `${line}\n`)
      .join(''),
  );
function begin(numEvents: number): void {
  write(join(race, 'race.json'), RACE);
  write(join(runFolder(), 'run.json'), RUN);
  events(0, numEvents);
}
const read = () => reader.read({ file: null, folder: race }, true);

describe('a race file that was not started', () => {
  it('with a path has the content of both files', async () => {
    const file = write(join(folder, 'a.race.json'), { ...RACE, run: 'runs/a.tune.json' });
    write(join(folder, 'runs/a.tune.json'), RUN);
    expect(await reader.read({ file, folder: null }, false)).toEqual({
      ...{ file, folder: null, race: { ...RACE, run: 'runs/a.tune.json' }, run: RUN, folders: {}, baseScore: null },
      ...{ alive: false, progress: [], log: [], hasReport: false, trusted: false },
    });
  });

  it.each([
    ['is missing', null],
    ['is no JSON', '{'],
    ['is a list', '[]'],
  ])('is null if it %s', async (_, content) => {
    const file = join(folder, 'a.race.json');
    if (content !== null) write(file, content);
    expect(await reader.read({ file, folder: null }, true)).toMatchObject({ race: null, run: null, folders: {} });
  });
});

describe('a race folder', () => {
  it('has the figures of its runs, and how far the one in progress is; only new events are read', async () => {
    begin(30);
    const claims = [race, runFolder()].map(path => claimFile(join(path, 'process.json')));
    expect(await read()).toMatchObject({
      alive: true,
      progress: [{ folder: 'runs/x-seed42', step: 19, totalSteps: 120 }],
      folders: { 'runs/x-seed42': { status: 'running', validation_loss: null, run: runFolder() } },
      log: [],
    });
    events(30);
    for (const claim of claims) if ('release' in claim) claim.release();
    const done = await read();
    expect(done).toMatchObject({ alive: false, progress: [] });
    expect(done.folders['runs/x-seed42']).toMatchObject({ status: 'finished', steps: 120 });
    expect(done.folders).toEqual((await new RaceReader().read({ file: null, folder: race }, true)).folders);
  });

  it('starts over with a run that was deleted and run again', async () => {
    begin(100);
    expect((await read()).folders['runs/x-seed42']!.steps).toBeGreaterThan(10);
    writeFileSync(join(runFolder(), 'events.ndjson'), '');
    expect((await read()).folders['runs/x-seed42']).toMatchObject({ steps: null, status: 'waiting' });
  });

  it('has the scores of its runs and of the base', async () => {
    begin(recorded.length);
    const report = (model: string, score: number) => ({
      suite: { file: '/a.eval.jsonl', hash: 'h' },
      report: { models: { [model]: { passed: 1, total: 4, score, rows: [] } }, comparisons: [] },
    });
    write(join(race, 'evaluations/a.json'), report('base', 0.25));
    write(join(runFolder(), 'evaluations/a.json'), report('result', 0.75));
    expect(await read()).toMatchObject({ baseScore: 0.25, folders: { 'runs/x-seed42': { score: 0.75 } } });
  });

  it('has the end of the log while runs are missing, and not of a race that is over', async () => {
    begin(20);
    write(join(race, 'engine.log'), 'first\nStopped.\n');
    expect((await read()).log).toEqual(['first', 'Stopped.']);
    events(20);
    write(join(race, 'report.md'), '# a');
    expect(await read()).toMatchObject({ log: [], hasReport: true });
  });

  it('says why it could not be planned, with the race file beside it', async () => {
    const file = write(join(folder, 'a.race.json'), RACE);
    write(join(race, 'engine.log'), 'a.race.json: no such method\n');
    expect(await reader.read({ file, folder: race }, true)).toMatchObject({
      race: RACE,
      folders: {},
      log: ['a.race.json: no such method'],
    });
  });

  it('leaves out what is no run folder', async () => {
    begin(20);
    write(join(race, 'runs/notes.txt'), 'x');
    write(join(race, 'runs/empty/run.json'), '[1]');
    expect(Object.keys((await read()).folders)).toEqual(['runs/x-seed42']);
  });
});
