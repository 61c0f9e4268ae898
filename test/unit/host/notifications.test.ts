// Notifications are for decisions: each has buttons or is modal. Plain information belongs into the status bar, a view
// or the output.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const host = new URL('../../../extension/src/host', import.meta.url).pathname;

interface Call {
  where: string;
  arguments: string[];
}

/** Calls of `show...Message` with the source text of their arguments. */
function callsIn(name: string): Call[] {
  const text = readFileSync(join(host, name), 'utf8');
  return [...text.matchAll(/show(?:Information|Warning|Error)Message\(/g)].map(({ 0: start, index }) => ({
    where: `${name}:${text.slice(0, index).split('\n').length}`,
    arguments: argumentsAt(text, index + start.length),
  }));
}

/** Up to the bracket that closes the call; brackets and commas in texts are none. */
function argumentsAt(text: string, start: number): string[] {
  const found = [''];
  const rest = text.slice(start).matchAll(/'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`|[^]/g);
  let depth = 0;
  for (const [part] of rest) {
    if (part === ')' && depth === 0) break;
    if (/^[([{]$/.test(part)) depth++;
    if (/^[)\]}]$/.test(part)) depth--;
    if (part === ',' && depth === 0) found.push('');
    else found[found.length - 1] += part;
  }
  return found.map(each => each.trim()).filter(each => each !== '');
}

test('a notification offers something to do', () => {
  const names = readdirSync(host, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'));
  const calls = names.flatMap(callsIn);
  expect(calls.length).toBeGreaterThan(7);
  const choices = ({ arguments: [, ...more] }: Call) => more.filter(each => !each.startsWith('{'));
  expect(calls.filter(call => choices(call).length === 0).map(({ where }) => where)).toEqual([]);
});
