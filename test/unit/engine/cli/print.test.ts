// What commands print can't act on a terminal, and all of it goes through print.ts.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { print, printJson, printNote, printPart } from '../../../../extension/src/engine/cli/print.js';

const engine = new URL('../../../../extension/src/engine', import.meta.url).pathname;

afterEach(() => vi.restoreAllMocks());

/** What `write` prints on a stream. */
function printed(stream: NodeJS.WriteStream, write: () => void): string {
  const spy = vi.spyOn(stream, 'write').mockReturnValue(true);
  write();
  return spy.mock.calls.map(([text]) => String(text)).join('');
}

test.each([
  ['print', process.stdout, print, '\n'],
  ['printPart', process.stdout, printPart, ''],
  ['printNote', process.stderr, printNote, '\n'],
] as const)('%s shows escape sequences instead of sending them', (_name, stream, write, end) => {
  expect(printed(stream, () => write('\x1b]0;owned\x07 \x9b31m'))).toBe(`\\x1b]0;owned\\x07 \\x9b31m${end}`);
});

test('JSON has no control characters and parses to the same value', () => {
  const value = { text: 'a\x1b[2J\x7f\x9b31m' };
  const text = printed(process.stdout, () => printJson(value));
  expect(text).not.toMatch(/(?!\n)\p{Cc}/u);
  expect(JSON.parse(text)).toEqual(value);
});

test('nothing else in the engine writes to standard output or error', () => {
  const names = readdirSync(engine, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'));
  // The resident engine and sessions take standard output for their messages.
  const allowed = ['cli/print.ts', 'cli/serveStandardStreams.ts'];
  const writing = names.filter(name => {
    const source = readFileSync(join(engine, name), 'utf8');
    return (
      /\bconsole\.\w+\((?!require)|\bstd(?:out|err)\.write\b|\bnew SingleBar\b/.test(source) && !allowed.includes(name)
    );
  });
  expect(writing.filter(name => name !== 'install/installEngine.ts')).toEqual([]);
});
