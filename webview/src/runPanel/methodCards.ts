// The methods as a radio group of cards, with keyboard navigation and the chosen method's summary below.
import { roughCount } from '../../../extension/src/core/units.js';
import type { MeasuredMethod } from '../../../extension/src/core/race/measuredMethods.js';
import type { EstimateAnswer } from '../../../extension/src/protocol/answers.js';
import { h, setText } from '../shared/dom.js';
import type { MethodChoice } from './draft.js';

interface Card {
  card: HTMLElement;
  /** Trained parameters, estimated. */
  figure: HTMLElement;
  /** Validation loss, measured. */
  loss: HTMLElement;
}

export class MethodCards {
  readonly element: HTMLElement;
  private readonly cards = new Map<string, Card>();
  private readonly summary = h('p', { class: 'help', id: 'method-summary' });
  private readonly measuredText = h('p', { class: 'help measured', hidden: true });
  private measured: ReadonlyMap<string, MeasuredMethod> = new Map();
  private chosen = '';

  constructor(
    private readonly methods: readonly MethodChoice[],
    private readonly onChoose: (peftType: string) => void,
  ) {
    for (const method of methods) this.cards.set(method.peftType, this.card(method));
    const group = h(
      'div',
      {
        class: 'cards',
        role: 'radiogroup',
        'aria-label': 'Method',
        onkeydown: event => this.move(event as KeyboardEvent),
      },
      ...[...this.cards.values()].map(({ card }) => card),
    );
    this.element = h('div', { class: 'fields' }, group, this.summary, this.measuredText);
  }

  get value(): string {
    return this.chosen;
  }

  set value(peftType: string) {
    this.chosen = peftType;
    for (const [key, { card }] of this.cards) {
      card.setAttribute('aria-checked', String(key === peftType));
      card.tabIndex = key === peftType ? 0 : -1;
    }
    // Without a choice, the group must still be reachable by the Tab key.
    if (!this.cards.has(peftType)) [...this.cards.values()][0]!.card.tabIndex = 0;
    setText(this.summary, this.methods.find(method => method.peftType === peftType)?.summary ?? '');
    this.showMeasuredText();
  }

  /** Shows trained parameters on each card; null removes them. */
  showEstimate(estimate: EstimateAnswer | null): void {
    const all = estimate ? [estimate.run, ...estimate.methods] : [];
    for (const [peftType, { card, figure }] of this.cards) {
      const own = all.find(each => each.peft_type === peftType);
      const reason = own && 'reason' in own ? own.reason : null;
      setText(
        figure,
        !own ? '' : 'reason' in own ? 'not for this model' : `${roughCount(own.trainable_parameters)} trained`,
      );
      card.title = reason ?? '';
    }
  }

  /** Shows on each card what races on this model and dataset have measured, and all of it of the chosen method. */
  showMeasured(measured: ReadonlyMap<string, MeasuredMethod>): void {
    this.measured = measured;
    for (const [peftType, { loss }] of this.cards) {
      const own = measured.get(peftType);
      setText(loss, own ? `loss ${own.loss}` : '');
      loss.title = own ? `Measured here: ${own.text}` : '';
    }
    this.showMeasuredText();
  }

  private showMeasuredText(): void {
    const own = this.measured.get(this.chosen);
    setText(this.measuredText, own ? `Measured here: ${own.text}` : '');
    this.measuredText.hidden = !own;
  }

  private card({ peftType, title }: MethodChoice): Card {
    const figure = h('span', { class: 'card-figure muted number' });
    const loss = h('span', { class: 'card-measured muted number' });
    const card = h(
      'div',
      { class: 'card', role: 'radio', 'aria-checked': 'false', tabindex: -1, 'data-method': peftType },
      h('span', { class: 'card-title' }, title),
      figure,
      loss,
    );
    card.addEventListener('click', () => this.choose(peftType));
    return { card, figure, loss };
  }

  private choose(peftType: string): void {
    this.cards.get(peftType)!.card.focus();
    if (peftType === this.chosen) return;
    this.value = peftType;
    this.onChoose(peftType);
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
