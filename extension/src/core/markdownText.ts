// Text from outside as text of a Markdown document: names of runs and files start no link, table, heading or HTML there. Pure.
import { visibleControls } from './harmlessText.js';

/** `text` on one line, with the characters escaped that Markdown gives a meaning. */
export function plain(text: string): string {
  return visibleControls(text)
    .replace(/[\r\n]+/g, ' ')
    .replace(/[\\`*_~[\]<>|#]/g, '\\$&');
}

/** `text` as a block of code, whatever it has. */
export function codeBlock(text: string, language = ''): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(Math.max(3, longest + 1));
  return `${fence}${language}\n${visibleControls(text)}\n${fence}`;
}
