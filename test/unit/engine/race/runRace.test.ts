// Which runs of a race train at the same time, with a stand-in for the program that trains: it ends when the test says so.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CancelledError } from '../../../../extension/src/core/codedError.js';
import { runRace, type RaceEntryStart } from '../../../../extension/src/engine/race/runRace.js';
import { parseRun } from '../../../../extension/src/engine/run/readRunFile.js';

interface Program {
  args: readonly string[];
  signal: AbortSignal;
  /** The folder's events, and the end of the process. */
  end(status: 'completed' | 'stopped' | 'failed'): void;
}
const { programs, race } = vi.hoisted(() => ({
  programs: [] as Program[],
  race: { parallel: undefined as number | undefined, backend: 'ray', names: [] as string[] },
}));
vi.mock('../../../../extension/src/engine/race/runProgram.js', () => ({
  runProgram: (args: readonly string[], { signal }: { signal: AbortSignal }) =>
    new Promise(resolve => {
      const run = args[args.indexOf('--out') + 1]!;
      let hasEnded = false;
      const end = (status: string) => {
        if (hasEnded) return;
        hasEnded = true;
        writeFileSync(join(run, 'events.ndjson'), `${JSON.stringify(eventOf(status))}\n`);
        resolve({ code: 0, signal: null, oomKills: null });
      };
      programs.push({ args, signal, end });
      signal.addEventListener('abort', () => end('stopped'));
    }),
}));
vi.mock('../../../../extension/src/engine/race/planRace.js', () => ({
  readRaceFile: (path: string) => ({ path, race: { name: 'race', parallel: race.parallel, run: {}, vary: [] } }),
  planRace: async () => ({
    entries: race.names.map(name => ({ name, seed: 1, folder: `runs/${name}-seed1`, config: configOf(), run: {} })),
    inputs: { model: 'm', train: 't', validation: null },
  }),
}));

function configOf() {
  const engine = race.backend === 'ray' ? { backend: 'ray', address: 'http://lab:8265' } : { backend: race.backend };
  const run = { name: 'r', model: 'embedded:tiny', dataset: { train: '/rows.jsonl' }, method: { peft_type: 'LORA' } };
  return parseRun({ ...run, engine }, '/race.json').config;
}

function eventOf(status: string): object {
  const stamp = { seq: 0, time: '2026-01-01T00:00:00Z' };
  if (status === 'failed')
    return { ...stamp, type: 'failed', step: 0, code: 'worker_lost', message: 'lost', last_checkpoint: null };
  return {
    ...{ ...stamp, type: 'completed', step: 5, train_seconds: 1, num_tokens: 9, adapter: 'adapter', peak_rss_bytes: 1 },
    ...{ reason: status === 'stopped' ? 'stopped' : 'finished', final_loss: 1, best_step: null, best_loss: null },
    ...{ initial_loss: null, total_steps: 5, best_metric: null },
  };
}

let out: string;
let stop: AbortController;
let begun: RaceEntryStart[];
beforeEach(() => {
  out = join(mkdtempSync(join(tmpdir(), 'tunewright-race-')), 'race');
  stop = new AbortController();
  begun = [];
  programs.length = 0;
  Object.assign(race, { parallel: undefined, backend: 'ray', names: ['a', 'b', 'c', 'd'] });
});
afterEach(() => rmSync(join(out, '..'), { recursive: true, force: true }));

const start = (resume = false) =>
  runRace({
    ...{ file: '/race.json', out, resume, force: false, yes: true, json: true },
    ...{ signal: stop.signal, quit: new AbortController().signal },
    onStart: entry => void begun.push(entry),
    onEvent: () => {},
  });
const nameOf = ({ args }: Program) => basename(args[args.indexOf('--out') + 1]!).replace('-seed1', '');
const names = () => programs.map(nameOf);
/** Once so many runs have begun; no other begins in the turns after that. */
const begins = async (count: number) => {
  await vi.waitUntil(() => programs.length >= count, { timeout: 10_000 });
  for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve));
  expect(programs).toHaveLength(count);
};
const end = (name: string, status: Parameters<Program['end']>[0] = 'completed') =>
  programs.findLast(program => nameOf(program) === name)!.end(status);

test('on a cluster two runs train at a time, in the order of the race', async () => {
  const racing = start();
  await begins(2);
  expect(names()).toEqual(['a', 'b']);
  end('b');
  await begins(3);
  expect(names()).toEqual(['a', 'b', 'c']);
  end('a', 'failed');
  await begins(4);
  end('c');
  end('d');
  await racing;
  expect(begun.map(({ name, number, of }) => [name, number, of])).toEqual([
    ['a', 1, 4],
    ['b', 2, 4],
    ['c', 3, 4],
    ['d', 4, 4],
  ]);
  for (const { args } of programs) expect(args).toEqual(expect.arrayContaining(['train', '--yes', '--json']));
});

test('on this machine one trains at a time, unless the race file says otherwise', async () => {
  race.backend = 'tensorflow';
  const racing = start();
  for (const [i, name] of race.names.entries()) {
    await begins(i + 1);
    end(name);
  }
  await racing;
  race.parallel = 3;
  rmSync(out, { recursive: true });
  programs.length = 0;
  const wide = start();
  await begins(3);
  end('a');
  await begins(4);
  for (const name of ['b', 'c', 'd']) end(name);
  await wide;
});

test('an interruption ends all runs in progress, and the race goes on with them', async () => {
  const racing = start();
  await begins(2);
  end('a');
  await begins(3);
  stop.abort();
  await expect(racing).rejects.toThrow(CancelledError);
  expect(names()).toEqual(['a', 'b', 'c']);

  stop = new AbortController();
  programs.length = 0;
  const resumed = start(true);
  await begins(2);
  expect(names(), 'a has finished').toEqual(['b', 'c']);
  for (const { args } of programs) expect(args).toContain('--resume');
  end('b');
  await begins(3);
  expect(nameOf(programs[2]!)).toBe('d');
  expect(programs[2]!.args).not.toContain('--resume');
  end('c');
  end('d');
  await resumed;
  expect(readFileSync(join(out, 'runs/a-seed1/events.ndjson'), 'utf8')).toContain('"finished"');
});
