// Every promise of guarantees.md names a test or script that exists, so that none is left behind when a test is moved.
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url).pathname;
const scripts = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')).scripts;
const rows = readFileSync(`${ROOT}extension/docs/guarantees.md`, 'utf8')
  .split(/\| guarantee\b/)
  .slice(1)
  .flatMap(table => table.split('\n\n')[0]!.split('\n').slice(2))
  .filter(row => row.startsWith('|'))
  .map(row => row.split('|').map(cell => cell.trim()));

test('there are promises', () => expect(rows.length).toBeGreaterThan(10));

test.each(rows.map(([, promise, heldBy]) => [promise!, heldBy!]))('%s', (_promise, heldBy) => {
  const named = [...heldBy.matchAll(/`([^`]+)`/g)].flatMap(([, name]) => alternatives(name!));
  expect(named).not.toEqual([]);
  for (const name of named) {
    if (name.startsWith('npm run ')) expect(scripts).toHaveProperty([name.split(' ')[2]!]);
    else expect(existsSync(ROOT + name), name).toBe(true);
  }
});

/** `a/{b,c}.test.ts` as the two paths. */
function alternatives(path: string): string[] {
  const braces = /^(.*)\{([^}]+)\}(.*)$/.exec(path);
  return braces ? braces[2]!.split(',').map(part => braces[1]! + part + braces[3]!) : [path];
}
