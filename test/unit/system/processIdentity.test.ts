// What identifies a process, on each operating system: as it answers here, and as others print it.
import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import {
  identify,
  identifyByPs,
  isTrainingEngine,
  mayHoldOpen,
  parseCim,
  parsePs,
} from '../../../extension/src/system/processIdentity.js';

it('a process is the same as long as it lives, and unlike one that is started later', async () => {
  const own = identify(process.pid)!;
  expect(own.args.length).toBeGreaterThan(1);
  expect(identify(process.pid)).toEqual(own);
  const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)', 'some words']);
  const later = identify(other.pid!)!;
  expect(later.start).not.toBe(own.start);
  expect(later.args).toContain('some words');
  const ended = new Promise(resolve => other.once('exit', resolve));
  other.kill('SIGKILL');
  await ended;
  expect(identify(other.pid!)).toBeNull();
});

it.skipIf(process.platform === 'win32')('ps tells start and command line', () => {
  const own = identifyByPs(process.pid)!;
  expect(new Date(`${own.start} UTC`).getTime()).not.toBeNaN();
  expect(own.args.length).toBeGreaterThan(1);
  expect(identifyByPs(process.pid)!.start).toBe(own.start);
});

it('what ps and PowerShell print is read; anything else is no process', () => {
  expect(parsePs('Sun Nov  9 00:14:23 2026     node /opt/tunewright.mjs train run.json\n')).toEqual({
    start: 'Sun Nov 9 00:14:23 2026',
    args: ['node', '/opt/tunewright.mjs', 'train', 'run.json'],
  });
  expect(
    parseCim('2026-11-29T00:14:23.1234567Z\r\n"C:\\Program Files\\node.exe" C:\\t\\tunewright.mjs train r\r\n'),
  ).toEqual({
    start: '2026-11-29T00:14:23.1234567Z',
    args: ['C:\\Program Files\\node.exe', 'C:\\t\\tunewright.mjs', 'train', 'r'],
  });
  for (const parse of [parsePs, parseCim])
    for (const text of ['', '\n', 'error: process ID out of range']) expect(parse(text)).toBeNull();
});

describe('a training engine', () => {
  it.each([
    ['node dist/tunewright.mjs train run.json --out x', true],
    ['/usr/bin/node --max-old-space-size=8000 /a/bin/tunewright.mjs train run.json', true],
    ['/usr/local/bin/tunewright train run.json', true],
    ['C:\\node.exe C:\\x\\dist\\tunewright.mjs train C:\\run.json', true],
    ['node dist/tunewright.mjs inspect train.json', false],
    ['node dist/tunewright.mjs resident', false],
    ['node train tunewright.mjs', false],
    ['nginx: worker process', false],
    ['sshd', false],
    ['', false],
  ])('%s: %s', (command, expected) => {
    expect(isTrainingEngine(command.split(' '))).toBe(expected);
  });
});

it.runIf(process.platform === 'linux')('only a process that has a file of a name open holds it', () => {
  expect(mayHoldOpen(process.pid, '/definitely/not/open')).toBe(false);
  expect(mayHoldOpen(2 ** 22 + 1, '')).toBe(false);
});
