// The exports of a run: what was written, where, and its certificate; and those that failed at the end of the run.
import { bytes, dayAndTime } from '../../../extension/src/core/units.js';
import type { Certificate } from '../../../extension/src/protocol/certificate.js';
import type { RunSnapshot } from '../../../extension/src/protocol/dashboardMessages.js';
import { fileName } from '../../../extension/src/core/fileName.js';
import { certificateView, verdictIcon } from '../shared/certificateTable.js';
import { h, icon } from '../shared/dom.js';
import { reasonBlock } from '../shared/reasonBlock.js';
import { button } from '../shared/toolkit.js';

export class ExportsView {
  readonly element = h('section', { class: 'block exports', 'aria-labelledby': 'exports', hidden: true });
  private shown = '';

  constructor(private readonly onUse: (path: string, act: 'reveal' | 'copy') => void) {}

  show({ exports, failedExports }: Pick<RunSnapshot, 'exports' | 'failedExports'>): void {
    this.element.hidden = exports.length === 0 && failedExports.length === 0;
    const key = JSON.stringify([exports, failedExports]);
    if (key === this.shown) return;
    this.shown = key;
    this.element.replaceChildren(
      h('h2', { id: 'exports' }, 'Exports'),
      ...failedExports.map(({ target, message, hint }) =>
        reasonBlock(`${target}: ${message}`, [hint !== null && h('p', { class: 'muted' }, hint)]),
      ),
      ...exports.map(each => this.item(each)),
    );
  }

  private item(certificate: Certificate): HTMLElement {
    const { path, target, type, files, verdict, created } = certificate;
    const size = bytes(files.reduce((sum, file) => sum + file.bytes, 0));
    const use = (label: string, glyph: string, act: 'reveal' | 'copy') =>
      button({ label, icon: glyph, secondary: true, onClick: () => this.onUse(path, act) });
    const facts = [type === null ? target : `${target}, ${type}`, size, dayAndTime(created), verdict];
    return h(
      'details',
      { class: 'fold' },
      h(
        'summary',
        {},
        icon('chevron-right', 'twistie'),
        verdictIcon(verdict),
        h('b', {}, fileName(path)),
        h('span', { class: 'muted' }, facts.join(' · ')),
      ),
      h(
        'div',
        { class: 'export' },
        h('code', {}, path),
        certificateView(certificate),
        h('div', { class: 'actions' }, use('Show', 'folder-opened', 'reveal'), use('Copy Path', 'copy', 'copy')),
      ),
    );
  }
}
