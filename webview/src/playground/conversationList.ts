// The kept conversations: open, rename, delete; export of the present one, import of another.
import { counted, dayAndTime } from '../../../extension/src/core/units.js';
import type { PlaygroundSnapshot } from '../../../extension/src/protocol/playgroundMessages.js';
import { h } from '../shared/dom.js';
import { button } from '../shared/toolkit.js';
import type { PlaygroundHost } from './commands.js';

type Kept = PlaygroundSnapshot['kept'][number];

export class ConversationList {
  readonly element = h('aside', { class: 'conversations', 'aria-label': 'Conversations', id: 'conversations' });
  private readonly list = h('ul');
  private shownFor = '';
  /** A conversation whose title is being edited, or whose deletion is to be confirmed. */
  private asked: { id: string; what: 'rename' | 'delete' } | null = null;
  private snapshot: PlaygroundSnapshot | null = null;

  constructor(private readonly host: PlaygroundHost) {
    const act = (label: string, glyph: string, command: 'export' | 'import') =>
      button({ label, icon: glyph, secondary: true, onClick: () => void host.carryOut({ do: command }) });
    this.element.append(
      h('h2', {}, 'Conversations'),
      this.list,
      h(
        'div',
        { class: 'choices' },
        act('Export as JSONL...', 'export', 'export'),
        act('Import...', 'cloud-download', 'import'),
      ),
    );
  }

  show(snapshot: PlaygroundSnapshot): void {
    this.snapshot = snapshot;
    const key = JSON.stringify([snapshot.kept, snapshot.conversation.id, this.asked]);
    if (key === this.shownFor) return;
    this.shownFor = key;
    this.list.replaceChildren(
      ...(snapshot.kept.length === 0
        ? [
            h(
              'li',
              { class: 'muted' },
              'None yet. Each conversation is kept in this workspace as soon as it is answered.',
            ),
          ]
        : snapshot.kept.map(kept => this.item(kept, kept.id === snapshot.conversation.id))),
    );
  }

  private ask(asked: { id: string; what: 'rename' | 'delete' } | null): void {
    this.asked = asked;
    this.show(this.snapshot!);
    this.list.querySelector<HTMLElement>('input, .confirm vscode-button')?.focus();
  }

  private item(kept: Kept, isCurrent: boolean): HTMLElement {
    const { id, title } = kept;
    const asked = this.asked?.id === id ? this.asked.what : null;
    if (asked === 'rename') return h('li', {}, this.titleField(kept));
    if (asked === 'delete')
      return h(
        'li',
        { class: 'confirm' },
        h('span', {}, `Delete “${title}”?`),
        button({
          label: 'Delete',
          onClick: () => {
            this.ask(null);
            void this.host.carryOut({ do: 'deleteConversation', id });
          },
        }),
        button({ label: 'Keep', secondary: true, onClick: () => this.ask(null) }),
      );
    const when = dayAndTime(kept.updated_ms);
    return h(
      'li',
      { class: isCurrent ? 'current' : '' },
      h(
        'button',
        {
          type: 'button',
          class: 'open',
          'aria-current': isCurrent ? 'true' : null,
          onclick: () => void this.host.carryOut({ do: 'openConversation', id }),
        },
        h('span', { class: 'name' }, title),
        h('span', { class: 'muted' }, `${when} · ${counted(kept.turns, 'turn')}`),
      ),
      button({
        label: `Rename ${title}`,
        icon: 'edit',
        iconOnly: true,
        onClick: () => this.ask({ id, what: 'rename' }),
      }),
      button({
        label: `Delete ${title}`,
        icon: 'trash',
        iconOnly: true,
        onClick: () => this.ask({ id, what: 'delete' }),
      }),
    );
  }

  private titleField({ id, title }: Kept): HTMLElement {
    const field = h('input', {
      class: 'title-field',
      value: title,
      'aria-label': 'Title',
      onkeydown: event => {
        const { key } = event as KeyboardEvent;
        if (key === 'Escape') this.ask(null);
        if (key !== 'Enter' || field.value.trim() === '') return;
        const renamed = field.value.trim();
        this.ask(null);
        void this.host.carryOut({ do: 'renameConversation', id, title: renamed });
      },
      onblur: () => setTimeout(() => this.asked?.id === id && this.ask(null)),
    });
    return field;
  }
}
