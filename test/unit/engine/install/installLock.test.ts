import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claimFile } from '../../../../extension/src/system/fileClaim.js';
import { withInstallLock } from '../../../../extension/src/engine/install/installLock.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'tunewright-lock-'))));
afterEach(() => rmSync(folder, { recursive: true }));

describe('withInstallLock', () => {
  it('runs one after the other and reports the process that holds the lock', async () => {
    const file = join(folder, 'lock');
    const log: string[] = [];
    let secondWaits!: () => void;
    const waiting = new Promise<void>(resolve => (secondWaits = resolve));
    const work = (name: string) => async () => {
      log.push(`${name} begins`);
      await waiting;
      log.push(`${name} ends`);
    };
    const onWait = (holder: string) => {
      log.push(`waits for ${holder}`);
      secondWaits();
    };
    await Promise.all([
      withInstallLock(file, () => {}, undefined, work('first')),
      withInstallLock(file, onWait, undefined, work('second')),
    ]);
    expect(log).toEqual([
      'first begins',
      `waits for process ${process.pid}`,
      'first ends',
      'second begins',
      'second ends',
    ]);
    expect(existsSync(file)).toBe(false);
  });

  it.each([
    ['a dead process', '999999999'],
    ['a process that has its pid by chance', String(process.ppid)],
  ])('takes over the lock of %s', async (_, content) => {
    const file = join(folder, 'lock');
    writeFileSync(file, content);
    expect(
      await withInstallLock(
        file,
        () => {},
        undefined,
        async () => 'done',
      ),
    ).toBe('done');
  });

  it('releases the lock if the work fails', async () => {
    const file = join(folder, 'lock');
    const failing = withInstallLock(
      file,
      () => {},
      undefined,
      () => Promise.reject(new Error('full disk')),
    );
    await expect(failing).rejects.toThrow('full disk');
    expect(existsSync(file)).toBe(false);
  });

  it('stops waiting when aborted', async () => {
    const file = join(folder, 'lock');
    const claim = claimFile(file);
    const stop = new AbortController();
    const waiting = withInstallLock(
      file,
      () => stop.abort(),
      stop.signal,
      async () => 'done',
    );
    await expect(waiting).rejects.toThrow(/abort/i);
    if ('release' in claim) claim.release();
  });
});
