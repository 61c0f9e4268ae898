import { afterEach, expect, test, vi } from 'vitest';
import { claimStandardOutput } from '../../../../extension/src/engine/cli/serveStandardStreams.js';

const { write } = process.stdout;
afterEach(() => {
  process.stdout.write = write;
  vi.restoreAllMocks();
});

test('once standard output carries messages, all other output goes to standard error', () => {
  const out: string[] = [];
  const err: string[] = [];
  const into = (lines: string[]) => (chunk: string | Uint8Array) => lines.push(String(chunk)) > 0;
  process.stdout.write = into(out) as typeof write;
  vi.spyOn(process.stderr, 'write').mockImplementation(into(err) as typeof write);
  const messages = claimStandardOutput();
  process.stdout.write('stray\n');
  messages.write('message\n');
  expect({ out, err }).toEqual({ out: ['message\n'], err: ['stray\n'] });
});
