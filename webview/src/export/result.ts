// What came of an export: where it is, its size and tensors, what rounding has changed, its certificate.
import { bytes, dayAndTime, figure } from '../../../extension/src/core/units.js';
import { useExported, type ExportState } from '../../../extension/src/protocol/exportMessages.js';
import type { WebviewChannel } from '../../../extension/src/protocol/webviewChannel.js';
import { certificateView } from '../shared/certificateTable.js';
import { h, icon } from '../shared/dom.js';
import { button } from '../shared/toolkit.js';

type Completed = Extract<ExportState, { kind: 'completed' }>;

export class ExportResult {
  readonly element = h('section', { class: 'block result', 'aria-labelledby': 'exported', hidden: true });
  private shown: string | null = null;

  constructor(private readonly channel: WebviewChannel) {}

  show(state: Completed | null): void {
    this.element.hidden = state === null;
    if (state === null || state.time === this.shown) return;
    this.shown = state.time;
    const { title, exported, warnings, time } = state;
    const use = (label: string, glyph: string, act: 'reveal' | 'copy' | 'copy_command') =>
      button({ label, icon: glyph, secondary: true, onClick: () => this.channel.notify(useExported, { act }) });
    this.element.replaceChildren(
      h('h2', { id: 'exported' }, icon('pass'), ` ${title}: exported`),
      h('p', { role: 'status' }, h('code', {}, exported.place)),
      h('p', { class: 'muted' }, dayAndTime(time)),
      h(
        'ul',
        { class: 'notes', 'aria-label': 'Warnings', hidden: warnings.length === 0 },
        ...warnings.map(text => h('li', {}, icon('warning'), h('span', {}, text))),
      ),
      h('dl', { class: 'figures' }, ...figuresOf(exported)),
      ...(exported.certificate ? [certificateView(exported.certificate)] : []),
      h(
        'div',
        { class: 'actions', hidden: exported.path === null },
        use('Show', 'folder-opened', 'reveal'),
        use('Copy Path', 'copy', 'copy'),
        exported.llama_cpp && use('Copy Command for llama.cpp', 'terminal', 'copy_command'),
      ),
    );
  }
}

function figuresOf({
  bytes: size,
  types,
  rounding,
  changed_parameters: changed,
}: Completed['exported']): HTMLElement[] {
  const item = (label: string, value: string, note = '') =>
    h(
      'div',
      {},
      h('dt', { class: 'muted' }, label),
      h('dd', { class: 'number' }, h('b', {}, value), note !== '' && h('span', { class: 'muted' }, ` ${note}`)),
    );
  const counts = Object.entries(types ?? {}).map(([type, count]) => `${count} ${type}`);
  const moved = rounding?.adapter_kl;
  return [
    item('Size', bytes(size), counts.join(', ')),
    ...(changed ? [item('Merged', String(changed), changed === 1 ? 'parameter' : 'parameters')] : []),
    ...(rounding
      ? [
          item(
            'Changed by rounding',
            figure(rounding.kl),
            `nats per token${typeof moved === 'number' ? `; by the adapter: ${figure(moved)}` : ''}`,
          ),
        ]
      : []),
  ];
}
