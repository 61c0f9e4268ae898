// Why something failed, for people and screen readers.
import { h, icon, type Child } from './dom.js';

/** @param details below the message, such as a hint and the place */
export function reasonBlock(message: string, details: readonly Child[] = [], glyph = 'error'): HTMLElement {
  return h(
    'div',
    { class: 'reason', role: 'alert' },
    icon(glyph),
    h('div', {}, h('p', { class: 'message' }, message), ...details),
  );
}

/** The words of a link to a place in a file. */
export function placeLabel(name: string, line: number | null): string {
  return line === null ? `Open ${name}` : `Open line ${line} of ${name}`;
}
