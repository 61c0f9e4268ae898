// A text as its tokens, each coloured as far as its shade says; the token under the mouse or at the reading position of the keyboard
// shows its figures, and its alternatives if they are known.
import { probability, type TokenShade } from '../../../extension/src/core/playground/tokenShades.js';
import type { TokenLogprob } from '../../../extension/src/protocol/sessionMessages.js';
import { fill, h } from './dom.js';

/** Text between the tokens, without colour and figures; `at`: how many tokens are before it. */
interface TextBetween {
  at: number;
  text: string;
}

export class TokenText {
  readonly element: HTMLElement;
  private readonly card: TokenCard;
  private tokens: readonly TokenLogprob[] = [];
  private shades: readonly (TokenShade | null)[] = [];
  private spans: readonly HTMLElement[] = [];
  private reading = -1;

  /** @param label what the tokens are, and how they are read, for screen readers */
  constructor(card: TokenCard, label: string) {
    this.card = card;
    this.element = h('div', { class: 'prose tokens', tabindex: 0, role: 'group', 'aria-label': label });
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

  /** @param shades one for each token; null: no colour */
  show(
    tokens: readonly TokenLogprob[],
    shades: readonly (TokenShade | null)[],
    between: readonly TextBetween[] = [],
  ): void {
    this.tokens = tokens;
    this.shades = shades;
    this.spans = tokens.map(({ text }, index) => {
      const shade = shades[index];
      const span = h('span', { class: 'token', 'data-side': shade?.side ?? 'none' }, text);
      if (shade) span.style.setProperty('--strength', shade.strength.toFixed(3));
      return span;
    });
    const before = (at: number) =>
      between.filter(each => each.at === at).map(({ text }) => h('span', { class: 'between' }, text));
    this.element.replaceChildren(...this.spans.flatMap((span, at) => [...before(at), span]), ...before(tokens.length));
    if (this.reading >= tokens.length) this.read(-1);
  }

  private indexOf(target: EventTarget | null): number {
    return this.spans.indexOf(target as HTMLElement);
  }

  private read(index: number): void {
    this.spans[this.reading]?.classList.remove('reading');
    this.reading = index;
    const span = this.spans[index];
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
    this.element.replaceChildren();
    fill(this.element, {}, [
      h('p', {}, h('code', {}, visible(token.text)), ' ', shade?.text ?? 'Not compared'),
      token.top.length > 0 &&
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
    ]);
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
