// What was listed to be deleted, and is used by the time it is agreed to.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { deletables, deleteOne } from '../../../../extension/src/engine/run/cleanUp.js';
import { claimFile } from '../../../../extension/src/system/fileClaim.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'clean-'))));
afterEach(() => rmSync(folder, { recursive: true }));

it('keeps the tokens of a race that has begun in the meantime', async () => {
  const race = join(folder, 'race');
  const cache = join(race, 'cache');
  mkdirSync(cache, { recursive: true });
  writeFileSync(join(race, 'race.json'), '{}');
  const item = (await deletables(['caches'], [folder])).find(({ path }) => path === cache)!;

  const claim = claimFile(join(race, 'process.json'));
  expect(() => deleteOne(item)).toThrow(`process ${process.pid} has begun to use this`);
  expect(existsSync(cache)).toBe(true);

  if ('release' in claim) claim.release();
  deleteOne(item);
  expect(existsSync(cache)).toBe(false);
  expect(existsSync(join(race, 'process.json'))).toBe(false);
});
