// An answer as its tokens, coloured by probability or by the difference from another column; the token under the mouse or at the
// reading position of the keyboard shows its alternatives.
import {
  byDifference,
  byProbability,
  probability,
  type TokenShade,
} from '../../../extension/src/core/playground/tokenShades.js';
import type { TokenLogprob } from '../../../extension/src/protocol/sessionMessages.js';
import { h } from '../shared/dom.js';

/** How likely the tokens are in another column: empty until known, or with why they can't be compared; `null`: not compared. */
export type ComparedWith = { tokens: readonly TokenLogprob[]; problem: string | null } | null;

export class TokenText {
  readonly element = h('div', {
    class: 'prose tokens',
    tabindex: 0,
    role: 'group',
    'aria-label': 'Tokens of the answer. Arrow keys read their probabilities.',
  });
  private readonly card: TokenCard;
  private tokens: readonly TokenLogprob[] = [];
  private shades: readonly (TokenShade | null)[] = [];
  private reading = -1;

  constructor(card: TokenCard) {
    this.card = card;
    this.element.addEventListener('mouseover', event => this.read(this.indexOf(event.target)));
    this.element.addEventListener('mouseleave', () => this.read(-1));
    this.element.addEventListener('focus', () => this.read(Math.max(0, this.reading)));
    this.element.addEventListener('blur', () => this.read(-1));
    this.element.addEventListener('keydown', event => {
      const last = this.tokens.length - 1;
      const to: Record<string, number> = {
        ArrowRight: Math.min(last, this.reading + 1),
        ArrowLeft: Math.max(0, this.reading - 1),
        Home: 0,
        End: last,
        Escape: -1,
      };
      if (!(event.key in to)) return;
      event.preventDefault();
      this.read(to[event.key]!);
    });
  }

  show(tokens: readonly TokenLogprob[], compared: ComparedWith): void {
    this.tokens = tokens;
    this.shades = tokens.map((token, index) => {
      if (compared === null) return byProbability(token);
      const there = compared.tokens[index];
      return there ? byDifference(token, there) : null;
    });
    const spans = tokens.map(({ text }, index) => {
      const shade = this.shades[index];
      const span = h('span', { class: 'token', 'data-side': shade?.side ?? 'none' }, text);
      if (shade) span.style.setProperty('--strength', shade.strength.toFixed(3));
      return span;
    });
    this.element.replaceChildren(...spans);
    if (this.reading >= tokens.length) this.read(-1);
  }

  private indexOf(target: EventTarget | null): number {
    return target === this.element ? -1 : [...this.element.children].indexOf(target as Element);
  }

  private read(index: number): void {
    this.element.children[this.reading]?.classList.remove('reading');
    this.reading = index;
    const span = this.element.children[index];
    const token = this.tokens[index];
    if (!span || !token) return this.card.hide();
    span.classList.add('reading');
    span.scrollIntoView({ block: 'nearest' });
    this.card.show(span, token, this.shades[index] ?? null);
  }
}

/** The alternatives of a token, next to it; one for the page. */
export class TokenCard {
  readonly element = h('div', { class: 'token-card', role: 'status', hidden: true });

  show(beside: Element, token: TokenLogprob, shade: TokenShade | null): void {
    const alternatives = token.top.some(({ id }) => id === token.id) ? token.top : [token, ...token.top];
    this.element.replaceChildren(
      h('p', {}, h('code', {}, visible(token.text)), ' ', shade?.text ?? 'Not compared'),
      h(
        'table',
        {},
        ...alternatives.map(({ id, text, logprob }) => {
          const bar = h('span', { class: 'bar' });
          bar.style.width = `${100 * Math.exp(logprob)}%`;
          return h(
            'tr',
            { class: id === token.id ? 'chosen' : '' },
            h(
              'td',
              {},
              h('code', {}, visible(text)),
              id === token.id && h('span', { class: 'visually-hidden' }, ' (chosen)'),
            ),
            h('td', { class: 'share' }, bar),
            h('td', { class: 'number' }, probability(logprob)),
          );
        }),
      ),
    );
    this.element.hidden = false;
    const { left, top, bottom } = beside.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const below = bottom + height + 6 <= window.innerHeight;
    this.element.style.left = `${Math.max(4, Math.min(left, window.innerWidth - width - 4))}px`;
    this.element.style.top = `${below ? bottom + 4 : Math.max(4, top - height - 4)}px`;
  }

  hide(): void {
    this.element.hidden = true;
  }
}

/** White space and an empty text made visible. */
function visible(text: string): string {
  return text.replaceAll('\n', '⏎').replaceAll('\t', '⇥').replaceAll(' ', '␣') || '(part of a character)';
}
