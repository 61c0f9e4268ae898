import { describe, expect, it } from 'vitest';
import { parseNetrc } from '../../../../extension/src/engine/install/netrc.js';

describe('parseNetrc', () => {
  it('reads logins by host, on one line or several', () => {
    const text = `# mine
machine Index.example login me password p#1
machine other.example
  login "quoted name"
  account none
  password "with \\" mark"
`;
    expect(parseNetrc(text)).toEqual(
      new Map([
        ['index.example', { user: 'me', password: 'p#1' }],
        ['other.example', { user: 'quoted name', password: 'with " mark' }],
      ]),
    );
  });

  it('ignores macros and the default entry', () => {
    const text = `machine a login x password y
macdef init
machine b login macro password macro

default login any password any
machine c login z password w`;
    expect([...parseNetrc(text)]).toEqual([
      ['a', { user: 'x', password: 'y' }],
      ['c', { user: 'z', password: 'w' }],
    ]);
  });
});
