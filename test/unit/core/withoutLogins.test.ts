// Which parts of a text are logins in addresses.
import { expect, test } from 'vitest';
import { withoutLogins } from '../../../extension/src/core/withoutLogins.js';

test.each([
  ['https://me:secret@index.example/simple', 'https://index.example/simple'],
  ['https://secret@index.example', 'https://index.example'],
  ['me:secret@127.0.0.1:11434', '127.0.0.1:11434'],
  ['http://me:secret@[::1]:80', 'http://[::1]:80'],
  ['http://me:se@cret@host', 'http://host'],
  ["WARNING: Location 'htps://me:secret@host/x/' is ignored", "WARNING: Location 'htps://host/x/' is ignored"],
])('%s', (text, shown) => expect(withoutLogins(text)).toBe(shown));

test.each(['https://index.example/simple', 'cc: jane@corp.example', 'https://host:8080/@scope/name', 'a:b'])(
  '%s has none',
  text => expect(withoutLogins(text)).toBe(text),
);

test.each(['/', ':', 'a', 'a:', '//'])('a long line of %j takes no time', part => {
  const began = performance.now();
  withoutLogins(part.repeat(100_000));
  expect(performance.now() - began).toBeLessThan(2000);
});
