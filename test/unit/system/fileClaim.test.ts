// Who holds a file, tried with real processes: several at once, dead ones, reused pids, and files that were written to have a process
// signalled that isn't ours.
import { createHash, randomUUID } from 'node:crypto';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { fileClaimSchema, type FileClaim } from '../../../extension/src/protocol/controlCommand.js';
import {
  claimFile,
  holderOf,
  nameOfHolder,
  signalHolder,
  sweepClaims,
} from '../../../extension/src/system/fileClaim.js';
import { identify } from '../../../extension/src/system/processIdentity.js';
import { bundleClaimant, Claimant } from '../../support/claimant.js';

const links = vi.hoisted(() => ({ supported: true }));
vi.mock('node:fs', async load => {
  const fs = await load<typeof import('node:fs')>();
  const linkSync: typeof fs.linkSync = (...args) => {
    if (!links.supported) throw Object.assign(new Error('EPERM'), { code: 'EPERM' });
    return fs.linkSync(...args);
  };
  return { ...fs, linkSync };
});

let home: string;
let engine: string;
let stranger: string;
let path: string;
const started: Claimant[] = [];
const start = async (program: string, ...args: string[]) => {
  const claimant = await Claimant.start(program, ...args);
  started.push(claimant);
  return claimant;
};
const written = () => fileClaimSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
const write = (claim: object) => writeFileSync(path, `${JSON.stringify(claim)}\n`);

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'tunewright-claims-'));
  engine = await bundleClaimant(home, 'tunewright.mjs');
  stranger = await bundleClaimant(home, 'stranger.mjs');
});
beforeEach(() => {
  const folder = mkdtempSync(join(home, 'folder-'));
  path = join(folder, 'process.json');
});
afterEach(async () => {
  links.supported = true;
  await Promise.all(started.splice(0).map(claimant => claimant.kill()));
});
afterAll(() => rmSync(home, { recursive: true }));

/** A claim that a process has left behind. */
async function leftBehind(): Promise<FileClaim> {
  const claimant = await start(engine, 'train');
  await claimant.claim(path);
  await claimant.kill();
  return written();
}

it('a claim is held until it is released, and leaves nothing else in the folder', async () => {
  const claimant = await start(engine, 'train');
  expect(await claimant.claim(path)).toBeNull();
  expect(holderOf(path)?.pid).toBe(claimant.pid);
  expect(claimFile(path)).toMatchObject({ heldBy: { pid: claimant.pid } });
  expect(readdirSync(join(path, '..'))).toEqual(['process.json']);
  await claimant.release();
  expect(holderOf(path)).toBeNull();
  expect(readdirSync(join(path, '..'))).toEqual([]);
});

describe('between machines and containers', () => {
  const setAge = (seconds: number) => {
    const time = Date.now() / 1000 - seconds;
    utimesSync(path, time, time);
  };
  const ageMs = () => Date.now() - statSync(path).mtimeMs;

  it('a claim from elsewhere is held while it is renewed, whatever has its pid here', async () => {
    const other = await start(engine, 'train');
    await other.claim(path);
    const claim = { ...written(), pidSpace: 'another machine' };
    write(claim);
    expect(holderOf(path)).toEqual(claim);
    expect(claimFile(path)).toEqual({ heldBy: claim });
    expect(nameOfHolder(claim)).toBe('a process on another machine or in another container');
    expect(signalHolder(path, 'SIGTERM')).toBe(false);
    setAge(50);
    expect(holderOf(path)).toEqual(claim);
    for (const age of [70, -70]) {
      setAge(age);
      expect(holderOf(path), `${age} s old`).toBeNull();
    }
    expect(claimFile(path)).toHaveProperty('release');
  });

  it('a claim is renewed, and its process ends when another one has replaced it', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const claim = claimFile(path);
      setAge(1000);
      vi.advanceTimersByTime(5000);
      expect(ageMs()).toBeLessThan(60_000);
      const theirs = { ...written(), secret: randomUUID(), pidSpace: 'another machine' };
      write(theirs);
      expect(() => vi.advanceTimersByTime(5000)).toThrow('another process has taken over');
      expect(() => vi.advanceTimersByTime(50_000)).not.toThrow();
      if ('release' in claim) claim.release();
      expect(written()).toEqual(theirs);
    } finally {
      vi.useRealTimers();
    }
  });

  it('a claim is not renewed after its release, nor in a folder that was deleted', () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const claim = claimFile(path);
      rmSync(join(path, '..'), { recursive: true });
      vi.advanceTimersByTime(5000);
      if ('release' in claim) claim.release();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

it('the same process holds it once', () => {
  const claim = claimFile(path);
  expect(claimFile(path)).toMatchObject({ heldBy: { pid: process.pid } });
  expect(holderOf(path)?.pid).toBe(process.pid);
  if ('release' in claim) claim.release();
  expect(holderOf(path)).toBeNull();
});

it('a release removes no claim of another process', async () => {
  const claim = claimFile(path);
  rmSync(path);
  const other = await start(engine, 'train');
  expect(await other.claim(path)).toBeNull();
  if ('release' in claim) claim.release();
  expect(holderOf(path)?.pid).toBe(other.pid);
});

describe('of several processes at once, one holds the file', () => {
  const ROUNDS = 25;
  const round = async (claimants: readonly Claimant[]) => {
    const at = Date.now() + 15;
    const outcomes = await Promise.all(claimants.map(claimant => claimant.claim(path, at)));
    return claimants.filter((_, i) => outcomes[i] === null);
  };

  it('of a new file', async () => {
    const claimants = await Promise.all([0, 1, 2].map(() => start(engine, 'train')));
    for (let i = 0; i < ROUNDS; i++) {
      const holders = await round(claimants);
      expect(holders).toHaveLength(1);
      await holders[0]!.release();
    }
  });

  it.each([
    ['a claim of a dead process', async () => void (await leftBehind())],
    ['process.json of version 0', async () => write({ pid: process.pid, started: new Date().toISOString() })],
    ['something else', async () => writeFileSync(path, 'nonsense')],
  ])('after %s', async (_, leave) => {
    const claimants = await Promise.all([0, 1, 2].map(() => start(engine, 'train')));
    for (let i = 0; i < ROUNDS / 5; i++) {
      rmSync(path, { force: true });
      await leave();
      const holders = await round(claimants);
      expect(holders).toHaveLength(1);
      expect(holderOf(path)?.pid).toBe(holders[0]!.pid);
      expect(readdirSync(join(path, '..'))).toEqual(['process.json']);
      await holders[0]!.release();
    }
  });
});

it('a process that died while it took a claim over is taken over as well', async () => {
  const after = (text: string) => `${path}.after-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
  await leftBehind();
  const first = readFileSync(path, 'utf8');
  const second = first.replace(/"secret":"[^"]*"/, `"secret":"${randomUUID()}"`);
  writeFileSync(after(first), second);
  const claim = claimFile(path);
  expect(claim).toHaveProperty('release');
  expect(holderOf(path)?.pid).toBe(process.pid);
  expect(readdirSync(join(path, '..'))).toEqual(['process.json']);
});

it('what dead processes left beside a claim is removed, what living ones need isn’t', async () => {
  const dead = await leftBehind();
  const living = await start(engine, 'train');
  await living.claim(path);
  const beside = (name: string, text: string) => writeFileSync(`${path}.${name}`, text);
  beside(dead.secret, JSON.stringify(dead));
  beside('after-0123456789abcdef', JSON.stringify(dead));
  beside('living', readFileSync(path, 'utf8'));
  beside('just-begun', '');
  beside('unfinished', '');
  utimesSync(`${path}.unfinished`, Date.now() / 1000 - 70, Date.now() / 1000 - 70);
  sweepClaims(path);
  const names = readdirSync(join(path, '..')).toSorted();
  expect(names).toEqual(['process.json', 'process.json.just-begun', 'process.json.living']);
});

it('where there are no hard links, a claim is copied', async () => {
  links.supported = false;
  await leftBehind();
  const claim = claimFile(path);
  expect(holderOf(path)?.pid).toBe(process.pid);
  expect(claimFile(path)).toMatchObject({ heldBy: { pid: process.pid } });
  const other = await start(engine, 'train');
  expect(await other.claim(path)).toBe(process.pid);
  if ('release' in claim) claim.release();
  expect(readdirSync(join(path, '..'))).toEqual([]);
});

it('what is no file is replaced, not followed', () => {
  const target = join(home, 'target');
  writeFileSync(target, 'precious');
  symlinkSync(target, path);
  expect(claimFile(path)).toHaveProperty('release');
  expect(readFileSync(target, 'utf8')).toBe('precious');
  expect(holderOf(path)?.pid).toBe(process.pid);
});

it('a folder that can’t be written is an error', () => {
  const folder = join(home, 'none');
  expect(() => claimFile(join(folder, 'process.json'))).toThrow(/ENOENT/);
  mkdirSync(join(path));
  expect(() => claimFile(path)).toThrow(/EISDIR|ENOTEMPTY|EPERM/);
});

describe('signals', () => {
  it('end the engine that holds the file', async () => {
    const claimant = await start(engine, 'train', 'run.json');
    await claimant.claim(path);
    const ended = once(claimant.child, 'exit');
    expect(signalHolder(path, 'SIGTERM')).toBe(true);
    expect(await ended).toEqual([null, 'SIGTERM']);
    expect(signalHolder(path, 'SIGTERM')).toBe(false);
    expect(holderOf(path)).toBeNull();
  });

  it('are not sent to a process that is no training engine, although it holds the file', async () => {
    for (const [program, ...args] of [
      [stranger, 'train'],
      [engine, 'inspect'],
    ] as const) {
      rmSync(path, { force: true });
      const claimant = await start(program, ...args);
      expect(await claimant.claim(path)).toBeNull();
      expect(holderOf(path)?.pid).toBe(claimant.pid);
      expect(signalHolder(path, 'SIGKILL')).toBe(false);
      expect(claimant.child.signalCode).toBeNull();
    }
  });

  describe('are not sent to a process that the file merely names', () => {
    let victim: ChildProcess;
    beforeEach(() => {
      // Its command line is that of an engine, which is the worst case.
      victim = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 600_000)', 'tunewright', 'train']);
    });
    afterEach(() => victim.kill('SIGKILL'));

    const secret = randomUUID();
    const now = new Date().toISOString();
    it.each([
      ['version 0, now', (pid: number) => ({ pid, started: now })],
      ['version 0, in the far future', (pid: number) => ({ pid, started: '2099-01-01T00:00:00.000Z' })],
      ['the right pid and start, no secret', (pid: number) => ({ pid, started: now, start: identify(pid)!.start })],
      [
        'the right pid and start, any secret',
        (pid: number) => ({ pid, started: now, start: identify(pid)!.start, secret }),
      ],
      ['another start', (pid: number) => ({ pid, started: now, start: 'x', secret })],
      ['pid 1', () => ({ pid: 1, started: now, start: identify(1)?.start ?? 'x', secret })],
      ['its group', (pid: number) => ({ pid: -pid, started: now, start: 'x', secret })],
      ['all processes', () => ({ pid: -1, started: now, start: 'x', secret })],
      ['its own group', () => ({ pid: 0, started: now, start: 'x', secret })],
    ])('%s', (_, claim) => {
      write(claim(victim.pid!));
      expect(holderOf(path)).toBeNull();
      expect(signalHolder(path, 'SIGKILL')).toBe(false);
      expect(identify(victim.pid!), 'the process lives').not.toBeNull();
      const taken = claimFile(path);
      expect(taken, 'and blocks nothing').toHaveProperty('release');
      if ('release' in taken) taken.release();
    });

    it('the claim of a dead engine whose pid is used again', async () => {
      write({ ...(await leftBehind()), pid: victim.pid! });
      expect(signalHolder(path, 'SIGKILL')).toBe(false);
      expect(identify(victim.pid!)).not.toBeNull();
    });
  });
});

it.runIf(process.platform === 'linux')(
  'a claim of another boot, or of a process that waits to be collected, is not held',
  async () => {
    const claim = claimFile(path);
    const own = written();
    write({ ...own, start: own.start.replace(/^\S+/, randomUUID()) });
    expect(holderOf(path)).toBeNull();
    if ('release' in claim) claim.release();
    // The shell becomes a program that never collects its child, and only then does the child end.
    const child = 'until read -r name < /proc/$$/comm && [[ $name = sleep ]]; do :; done';
    const parent = spawn('bash', ['-c', `{ ${child}; } & echo $!; exec sleep 600`], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [pid] = (await once(parent.stdout.setEncoding('utf8'), 'data')) as [string];
    await vi.waitFor(() => expect(readFileSync(`/proc/${Number(pid)}/stat`, 'utf8')).toContain(') Z '), 60_000);
    expect(identify(Number(pid))).toBeNull();
    parent.kill('SIGKILL');
  },
);
