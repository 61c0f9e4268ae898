// The certificate of an export: its verdict in a sentence, what was compared as a table, and why the bounds are what they are.
import {
  certificateReasons,
  certificateTable,
  verdictText,
} from '../../../extension/src/core/exports/certificateText.js';
import type { Certificate, Verdict } from '../../../extension/src/protocol/certificate.js';
import { h, icon } from './dom.js';

const ICONS: Readonly<Record<Verdict, string>> = {
  same: 'pass',
  within: 'pass',
  'not compared': 'info',
  differs: 'error',
};

export function verdictIcon(verdict: Verdict): HTMLElement {
  return icon(ICONS[verdict], `verdict ${verdict.replace(' ', '-')}`);
}

export function certificateView(certificate: Certificate): HTMLElement {
  const [head, ...rows] = certificateTable(certificate);
  const cell = (text: string) => h('td', {}, text);
  return h(
    'div',
    { class: 'certificate' },
    h('p', { class: 'verdict-text' }, verdictIcon(certificate.verdict), h('span', {}, verdictText(certificate))),
    h(
      'div',
      { class: 'scrolled', tabindex: 0, role: 'group', 'aria-label': 'Certificate, scrollable' },
      h(
        'table',
        { 'aria-label': 'Certificate' },
        h('thead', {}, h('tr', {}, ...head!.map(text => h('th', { scope: 'col' }, text)))),
        h(
          'tbody',
          {},
          ...rows.map(([what, ...cells]) => h('tr', {}, h('th', { scope: 'row' }, what!), ...cells.map(cell))),
        ),
      ),
    ),
    h('ul', { class: 'muted' }, ...certificateReasons(certificate).map(text => h('li', {}, text))),
  );
}
