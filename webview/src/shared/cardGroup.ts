// Cards of which one is chosen: a radio group, with arrow keys, Home and End. What a card shows is its owner's.
import { h } from './dom.js';

export interface CardOptions {
  key: string;
  title: string;
  content: readonly HTMLElement[];
}

export class CardGroup {
  readonly element: HTMLElement;
  private readonly cards = new Map<string, HTMLElement>();
  private chosen = '';

  constructor(
    label: string,
    cards: readonly CardOptions[],
    private readonly onChoose: (key: string) => void,
  ) {
    for (const options of cards) this.cards.set(options.key, this.card(options));
    const onkeydown = (event: Event) => this.move(event as KeyboardEvent);
    this.element = h(
      'div',
      { class: 'cards', role: 'radiogroup', 'aria-label': label, onkeydown },
      ...this.cards.values(),
    );
    this.value = '';
  }

  get value(): string {
    return this.chosen;
  }

  set value(key: string) {
    this.chosen = key;
    for (const [each, card] of this.cards) {
      card.setAttribute('aria-checked', String(each === key));
      card.tabIndex = each === key ? 0 : -1;
    }
    // Without a choice, the group must still be reachable by the Tab key.
    const [first] = this.cards.values();
    if (first && !this.cards.has(key)) first.tabIndex = 0;
  }

  /** Why a card isn't a good choice; '' if nothing is known against it. */
  note(key: string, text: string): void {
    this.cards.get(key)!.title = text;
  }

  private card({ key, title, content }: CardOptions): HTMLElement {
    const onclick = () => this.choose(key);
    const attributes = {
      class: 'card',
      role: 'radio',
      'data-key': key,
      onclick,
    };
    return h('div', attributes, h('span', { class: 'card-title' }, title), ...content);
  }

  private choose(key: string): void {
    this.cards.get(key)!.focus();
    if (key === this.chosen) return;
    this.value = key;
    this.onChoose(key);
  }

  private move(event: KeyboardEvent): void {
    const keys = [...this.cards.keys()];
    const at = Math.max(0, keys.indexOf(this.chosen));
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const to = step ? (at + step + keys.length) % keys.length : { Home: 0, End: keys.length - 1, ' ': at }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.choose(keys[to]!);
  }
}
