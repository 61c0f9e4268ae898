// What the parts of the playground's page share: the way to the host, and the text area that grows with its text.
import type { PlaygroundCommand } from '../../../extension/src/protocol/playgroundMessages.js';
import type { TokenLogprob } from '../../../extension/src/protocol/sessionMessages.js';
import { h } from '../shared/dom.js';

export interface PlaygroundHost {
  /** Resolves to a sentence for the user; a problem is shown above the input. */
  carryOut(command: PlaygroundCommand): Promise<void>;
  /** The same, for parts that show the problem themselves. @throws RemoteError */
  request(command: PlaygroundCommand): Promise<string | null>;
  tokens(turn: number, column: string, from: number): Promise<TokenLogprob[]>;
  /** Rejects with why they can't be compared. */
  scores(turn: number, column: string, by: string): Promise<TokenLogprob[]>;
}

export interface GrowingText {
  element: HTMLTextAreaElement;
  value: string;
}

/** A native text area as high as its text, up to the limit of its style. */
export function growingText(options: {
  label: string;
  placeholder?: string;
  onInput?(): void;
  /** Enter without Shift. */
  onEnter?(): void;
  onEscape?(): void;
}): GrowingText {
  const element = h('textarea', {
    class: 'growing',
    rows: 1,
    'aria-label': options.label,
    placeholder: options.placeholder ?? '',
    spellcheck: 'false',
  });
  const fit = () => {
    element.style.height = 'auto';
    element.style.height = `${element.scrollHeight + 2}px`;
  };
  element.addEventListener('input', () => {
    fit();
    options.onInput?.();
  });
  element.addEventListener('keydown', event => {
    // Enter that ends the composition of a character sends nothing.
    if (event.isComposing) return;
    if (event.key === 'Enter' && !event.shiftKey && options.onEnter) {
      event.preventDefault();
      options.onEnter();
    } else if (event.key === 'Escape' && options.onEscape) {
      event.preventDefault();
      options.onEscape();
    }
  });
  requestAnimationFrame(fit);
  return {
    element,
    get value() {
      return element.value;
    },
    set value(text) {
      element.value = text;
      fit();
    },
  };
}
