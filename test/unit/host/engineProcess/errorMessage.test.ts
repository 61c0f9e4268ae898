import { expect, test } from 'vitest';
import { errorMessage } from '../../../../extension/src/host/engineProcess/errorMessage.js';

test('the last error with its hint, without what comes before it and the advice for developers', () => {
  const log = [
    'error: an old one',
    'Tokenizing 256 rows',
    'error: run.json: method.r: a whole number is needed',
    '  Write 8.',
    '  TUNEWRIGHT_DEBUG=1 shows where it came from.',
    '',
  ].join('\n');
  expect(errorMessage(log)).toBe('run.json: method.r: a whole number is needed\n  Write 8.');
});

test('an error on the first line', () => expect(errorMessage('error: no\n')).toBe('no'));

test('the last lines where no error was told', () => {
  expect(errorMessage('1\n2\n3\n4\n')).toBe('2\n3\n4');
  expect(errorMessage('')).toBe('The engine ended without saying why.');
});
