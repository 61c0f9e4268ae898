// Reads logins by host from the user's netrc file, as curl, pip and uv do. Called by indexSettings.ts. The `default` entry is
// ignored: it would send its password to every host that serves a file.
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export interface Login {
  user: string;
  password: string;
}

/** From NETRC, else ~/.netrc, else ~/_netrc. */
export function readNetrc(): Map<string, Login> {
  const paths = process.env.NETRC ? [process.env.NETRC] : ['.netrc', '_netrc'].map(name => join(homedir(), name));
  const path = paths.find(candidate => existsSync(candidate));
  return path === undefined ? new Map<string, Login>() : parseNetrc(readFileSync(path, 'utf8'));
}

/** Values may be quoted; a macro (`macdef`) ends with an empty line. */
export function parseNetrc(text: string): Map<string, Login> {
  const logins = new Map<string, Login>();
  const words = text
    .split(/\n\s*\n/)
    .map(paragraph => paragraph.replace(/^\s*#.*$/gm, '').replace(/^\s*macdef\b[^]*/m, ''))
    .flatMap(paragraph => paragraph.match(/"(?:\\.|[^"\\])*"|\S+/g) ?? []);
  let login: Login | undefined;
  for (let at = 0; at < words.length; at += 2) {
    const value = (words[at + 1] ?? '').replace(/^"(.*)"$/s, '$1').replace(/\\(.)/gs, '$1');
    if (words[at] === 'machine') {
      login = { user: '', password: '' };
      logins.set(value.toLowerCase(), login);
    } else if (words[at] === 'default') {
      login = undefined;
      at -= 1; // It has no value.
    } else if (login && words[at] === 'login') login.user = value;
    else if (login && words[at] === 'password') login.password = value;
  }
  return logins;
}
