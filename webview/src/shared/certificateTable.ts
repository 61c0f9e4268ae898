// The certificate of an export: its verdict in a sentence, what was compared as a table, and why the bounds are what they are.
import {
  certificateReasons,
  certificateTable,
  verdictText,
} from '../../../extension/src/core/exports/certificateText.js';
import { installedSummary } from '../../../extension/src/core/exports/installedAnswers.js';
import type { Certificate, Verdict } from '../../../extension/src/protocol/certificate.js';
import type { InstalledAnswers } from '../../../extension/src/protocol/installedAnswers.js';
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
    scrolledTable(
      'Certificate',
      head!,
      rows.map(([what, ...cells]) => h('tr', {}, h('th', { scope: 'row' }, what!), ...cells.map(cell))),
    ),
    h('ul', { class: 'muted' }, ...certificateReasons(certificate).map(text => h('li', {}, text))),
    ...(certificate.installed ? installedView(certificate.installed) : []),
  );
}

/** What the model answers where it was installed, beside what it answers here, and why they differ. */
function installedView(installed: InstalledAnswers): HTMLElement[] {
  const { program, answers, differences } = installed;
  const text = (value: string) => (value === '' ? h('span', { class: 'muted' }, 'nothing') : value);
  const rows = answers.map(({ prompt, ours, theirs, same }) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, prompt),
      h('td', {}, text(ours)),
      h('td', {}, same ? h('span', { class: 'muted' }, 'the same') : text(theirs)),
    ),
  );
  const label = `Answers here and in ${program}`;
  return [
    h('p', {}, installedSummary(installed)),
    ...(answers.length > 0 ? [scrolledTable(label, ['Prompt', 'Here', program], rows, 'answers')] : []),
    h('ul', { class: 'muted' }, ...differences.map(each => h('li', {}, each.text))),
  ];
}

function scrolledTable(label: string, head: readonly string[], rows: readonly HTMLElement[], kind = ''): HTMLElement {
  const headCells = head.map(text => h('th', { scope: 'col' }, text));
  return h(
    'div',
    { class: 'scrolled', tabindex: 0, role: 'group', 'aria-label': `${label}, scrollable` },
    h(
      'table',
      { class: kind, 'aria-label': label },
      h('thead', {}, h('tr', {}, ...headCells)),
      h('tbody', {}, ...rows),
    ),
  );
}
