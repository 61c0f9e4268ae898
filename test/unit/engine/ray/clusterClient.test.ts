import { describe, expect, it } from 'vitest';
import { InputError } from '../../../../extension/src/core/inputError.js';
import { headersOf, isOlder } from '../../../../extension/src/engine/ray/clusterClient.js';

describe('isOlder', () => {
  it.each([
    ['2.50.1', true],
    ['2.9.3', true],
    ['1.99.0', true],
    ['2.51.0', false],
    ['2.51.0rc1', false],
    ['2.100.0', false],
    ['3.0.0.dev0', false],
    ['nothing', true],
  ])('%s', (version, older) => {
    expect(isOlder(version, '2.51.0')).toBe(older);
  });
});

describe('headersOf', () => {
  it('reads the variables of Ray’s command line', () => {
    expect(headersOf({})).toEqual({});
    expect(headersOf({ RAY_AUTH_TOKEN: 'abc', RAY_JOB_HEADERS: '{"X-Team": "a"}' })).toEqual({
      'X-Team': 'a',
      authorization: 'Bearer abc',
    });
  });

  it.each(['{', '[]', '{"a b": "c"}', '{"a": 1}', '{"a": "b\\nc"}'])('refuses %s as headers', json => {
    expect(() => headersOf({ RAY_JOB_HEADERS: json })).toThrow(InputError);
  });

  it('refuses a token that no header can have, without saying it', () => {
    const read = () => headersOf({ RAY_AUTH_TOKEN: 'sec\nret' });
    expect(read).toThrow(InputError);
    expect(read).not.toThrow(/sec/);
  });
});
