import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { currentStep } from '../../../../extension/src/core/runs/runState.js';
import { FolderRun } from '../../../../extension/src/host/runs/folderRun.js';
import { UntrustedWorkspaceError } from '../../../../extension/src/host/services.js';
import { claimFile } from '../../../../extension/src/system/fileClaim.js';
import { bundleClaimant, Claimant } from '../../../support/claimant.js';

const workspace = vi.hoisted(() => ({ isTrusted: true }));
vi.mock('vscode', async () => {
  const { EventEmitter } = await import('node:events');
  return {
    workspace,
    EventEmitter: class {
      private readonly emitter = new EventEmitter();
      readonly event = (listener: () => void) => this.emitter.on('fired', listener);
      fire = () => this.emitter.emit('fired');
      dispose = () => this.emitter.removeAllListeners();
    },
  };
});

/** 120 steps of the embedded model, one per line. */
const recorded = readFileSync(new URL('../../../fixtures/runs/pirate-lora.ndjson', import.meta.url), 'utf8')
  .trim()
  .split('\n');

let folder: string;
let run: FolderRun;
let changes: number;
let release: () => void;

/** As if this process trained in the folder. */
function takeClaim(): () => void {
  const claim = claimFile(join(folder, 'process.json'));
  if ('heldBy' in claim) throw new Error(`process ${claim.heldBy.pid} holds it`);
  return () => claim.release();
}
const write = (from: number, to?: number) =>
  appendFileSync(
    join(folder, 'events.ndjson'),
    recorded
      .slice(from, to)
      .map(line => `${line}\n`)
      .join(''),
  );

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunewright-run-'));
  writeFileSync(join(folder, 'run.json'), '{ "name": "pirate" }');
  release = takeClaim();
  write(0, 20);
  run = new FolderRun(folder);
  changes = 0;
  run.onDidChange(() => void (changes += 1));
});
afterEach(() => {
  workspace.isTrusted = true;
  run.dispose();
  release();
  rmSync(folder, { recursive: true, force: true });
});

test('reading the state between two refreshes hides no change from listeners', () => {
  const before = currentStep(run.state());
  write(20);
  run.state();
  run.refresh();
  expect(changes).toBe(1);
  expect(currentStep(run.state())).toBeGreaterThan(before);
  run.refresh();
  expect(changes, 'nothing was written since').toBe(1);
});

test('a file that has become shorter is read from the beginning', () => {
  write(20);
  run.refresh();
  expect(currentStep(run.state())).toBe(120);
  writeFileSync(join(folder, 'events.ndjson'), '');
  write(0, 10);
  run.refresh();
  expect(run.state().lastSeq).toBe(JSON.parse(recorded[9]!).seq);
});

test('many events are read a chunk at a time; meanwhile the run is known by its ends, and listeners are told when all are there', async () => {
  const STEPS = 20_000;
  const recordedStep = JSON.parse(recorded.find(line => line.includes('"type":"step"'))!);
  const lines = Array.from({ length: STEPS }, (_, i) => JSON.stringify({ ...recordedStep, seq: 1 + i, step: 1 + i }));
  const [first, last] = [recorded[0]!, { ...JSON.parse(recorded.at(-1)!), seq: 1 + STEPS, step: STEPS }];
  const text = [first, ...lines, JSON.stringify(last)].map(line => `${line}\n`).join('');
  writeFileSync(join(folder, 'events.ndjson'), text);
  end();
  run.refresh();
  changes = 0;

  const chunk = run.state().steps.length;
  expect(chunk).toBeGreaterThan(0);
  expect(chunk, 'in one turn').toBeLessThan(STEPS / 10);
  expect(run.glance()).toMatchObject({ completed: { step: STEPS }, started: { type: 'started' } });
  expect(run.phase).toBe('completed');
  let turns = 0;
  const count = () => {
    turns++;
    counting = setImmediate(count);
  };
  let counting = setImmediate(count);
  const whole = await run.read();
  clearImmediate(counting);
  expect(whole.steps.length).toBe(STEPS);
  expect(turns).toBeGreaterThanOrEqual(Math.floor(STEPS / chunk) - 1);
  expect(changes).toBe(1);
  expect(run.state()).toBe(whole);
  expect(run.glance()).toBe(whole);
});

/** The process of the run has ended. */
function end(): void {
  release();
  run.refresh();
}
const failed = (more: object) => {
  const { seq, time } = JSON.parse(recorded[19]!);
  const event = { seq: seq + 1, time, type: 'failed', step: 3, last_checkpoint: null, ...more };
  appendFileSync(join(folder, 'events.ndjson'), `${JSON.stringify(event)}\n`);
};

test('a failure says what, where and what to change, with the end of the log', () => {
  writeFileSync(join(folder, 'engine.log'), 'one\ntwo\n');
  const error = { code: 'bad_input', message: 'no such column', file: '/data/facts.csv', line: 12, hint: 'Name one.' };
  failed(error);
  expect(run.failure(), 'while the process is alive').toBeNull();
  end();
  expect(run.failure()).toEqual({
    message: 'no such column',
    hint: 'Name one.',
    file: '/data/facts.csv',
    line: 12,
    key: null,
    refusedForMemory: false,
    wantsLogin: false,
    log: ['one', 'two'],
  });
  expect(run.failureText()).toBe('/data/facts.csv:12: no such column.\n  Name one.');
});

test('a run that was refused for its memory can be started anyway', () => {
  failed({ code: 'out_of_memory', message: 'this run needs about 30 GB of memory' });
  expect(run.refusedForMemory, 'while the process is alive').toBe(false);
  end();
  expect(run.refusedForMemory).toBe(true);
});

test('a process that ended without a message is an interruption, and the log says what it can', () => {
  writeFileSync(join(folder, 'engine.log'), 'Killed\n');
  end();
  expect(run.phase).toBe('interrupted');
  expect(run.failure()).toMatchObject({ message: expect.stringContaining('without a message'), log: ['Killed'] });
  expect(run.failureText()).toMatch(/without a message.*\nKilled$/s);
});

test('it is resumable only with a checkpoint, and only after its end', () => {
  const checkpoint = join(folder, 'checkpoints/step-2');
  end();
  expect(run.resumable).toBe(false);
  mkdirSync(checkpoint, { recursive: true });
  writeFileSync(join(checkpoint, 'state.json'), '{}');
  expect(run.resumeStep()).toBe(2);
  write(20);
  run.refresh();
  expect(run.phase).toBe('completed');
  expect(run.resumeStep(), 'nothing is left to do').toBeNull();
});

test('a run whose job on a cluster goes on is detached, and can be followed without a checkpoint', () => {
  const job = (ended: boolean) => writeFileSync(join(folder, 'ray.json'), JSON.stringify({ ended }));
  job(false);
  expect(run.phase, 'while a process follows it').not.toBe('detached');
  end();
  expect(run.phase).toBe('detached');
  expect(run.resumable).toBe(true);
  expect(run.resumeStep()).toBeNull();
  expect(run.failure()).toBeNull();
  job(true);
  expect(run.phase).toBe('interrupted');
  expect(run.resumable).toBe(false);
  writeFileSync(join(folder, 'ray.json'), '[');
  expect(run.phase, 'damaged').toBe('interrupted');
});

test('it was started when its first event was written', () => {
  expect(run.startedMs).toBe(Date.parse(JSON.parse(recorded[0]!).time));
});

describe('the process of a run', () => {
  let program: string;
  let home: string;
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'tunewright-engine-'));
    program = await bundleClaimant(home, 'tunewright.mjs');
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));
  let victim: ChildProcess;
  beforeEach(() => {
    release();
    rmSync(join(folder, 'events.ndjson'));
    victim = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 600_000)', 'tunewright', 'train']);
  });
  afterEach(() => victim.kill('SIGKILL'));

  test('is stopped by a signal before its first event', async () => {
    const engine = await Claimant.start(program, 'train');
    await engine.claim(join(folder, 'process.json'));
    run.refresh();
    expect(run.alive).toBe(true);
    const ended = once(engine.child, 'exit');
    run.send({ type: 'stop' });
    await ended;
    run.refresh();
    expect(run.alive).toBe(false);
  });

  test('is known to the window that started it before it claims the folder', async () => {
    const own = new FolderRun(folder, victim);
    expect(own.alive).toBe(true);
    const ended = once(victim, 'exit');
    own.send({ type: 'stop' });
    await ended;
    own.refresh();
    expect(own.alive).toBe(false);
    expect(own.signal('SIGKILL')).toBe(false);
    own.dispose();
  });

  test('is none that process.json merely names', () => {
    writeFileSync(
      join(folder, 'process.json'),
      JSON.stringify({ pid: victim.pid, started: '2099-01-01T00:00:00.000Z' }),
    );
    run.refresh();
    expect(run.alive).toBe(false);
    run.send({ type: 'stop' });
    expect(run.signal('SIGKILL')).toBe(false);
    expect([victim.exitCode, victim.signalCode, victim.killed]).toEqual([null, null, false]);
  });
});

describe('a link in the folder', () => {
  test.each(['attended.json', 'commands.ndjson'])('%s is not written through', name => {
    const target = join(folder, 'target');
    writeFileSync(target, 'precious');
    symlinkSync(target, join(folder, name));
    expect(() => (name === 'attended.json' ? run.attend() : run.send({ type: 'save' }))).toThrow('symbolic link');
    expect(run.endsWithWindows).toBe(false);
    run.outliveWindows();
    expect(readFileSync(target, 'utf8')).toBe('precious');
  });

  test('is not read through', () => {
    rmSync(join(folder, 'run.json'));
    for (const name of ['run.json', 'engine.log']) symlinkSync('/dev/zero', join(folder, name));
    const other = new FolderRun(folder);
    expect(other.config).toEqual({});
    other.refresh();
    expect(other.failure()?.log ?? []).toEqual([]);
    other.dispose();
  });
});

test('in Restricted Mode nothing is written or signalled, and once the workspace is trusted it is', () => {
  workspace.isTrusted = false;
  const acts = [
    () => run.send({ type: 'save' }),
    () => run.send({ type: 'stop' }),
    () => run.signal('SIGKILL'),
    () => run.attend(),
    () => run.outliveWindows(),
  ];
  for (const act of acts) expect(act).toThrow(UntrustedWorkspaceError);
  expect(existsSync(join(folder, 'attended.json'))).toBe(false);
  expect(existsSync(join(folder, 'commands.ndjson'))).toBe(false);
  expect(currentStep(run.state()), 'it can be read').toBeGreaterThan(0);
  workspace.isTrusted = true;
  run.attend();
  expect(run.endsWithWindows).toBe(true);
});
