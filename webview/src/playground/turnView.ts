// A turn: the user's prompt, which can be edited, and below it an answer for each column.
import type { PlaygroundTurn } from '../../../extension/src/protocol/playgroundMessages.js';
import { h, place, setText } from '../shared/dom.js';
import { button } from '../shared/toolkit.js';
import { AnswerView, type ShownAnswer } from './answerView.js';
import { growingText, type PlaygroundHost } from './commands.js';
import type { TokenCard } from '../shared/tokenText.js';

export class TurnView {
  readonly element = h('section', { class: 'turn' });
  private readonly prompt = h('div', { class: 'prose' });
  private readonly actions: HTMLElement;
  private readonly editor = h('div', { class: 'correction', hidden: true });
  private readonly answersElement = h('div', { class: 'answers' });
  private readonly answers = new Map<string, AnswerView>();
  private turn: PlaygroundTurn;

  constructor(
    private readonly host: PlaygroundHost,
    private readonly card: TokenCard,
    turn: PlaygroundTurn,
  ) {
    this.turn = turn;
    const act = (label: string, glyph: string, onClick: () => void) =>
      button({ label, icon: glyph, iconOnly: true, onClick });
    this.actions = h(
      'div',
      { class: 'actions', role: 'toolbar', 'aria-label': 'Prompt' },
      act('Edit Prompt and Ask Again', 'edit', () => this.edit()),
      act('Copy Prompt', 'copy', () => void navigator.clipboard.writeText(this.turn.prompt)),
    );
    this.element.append(h('div', { class: 'prompt' }, this.prompt, this.editor, this.actions), this.answersElement);
  }

  show(turn: PlaygroundTurn, answers: readonly ShownAnswer[]): void {
    this.turn = turn;
    setText(this.prompt, turn.prompt);
    this.element.setAttribute('aria-label', `You: ${turn.prompt.slice(0, 80)}`);
    for (const id of this.answers.keys()) if (!answers.some(({ column }) => column.id === id)) this.answers.delete(id);
    const views = answers.map(shown => {
      const view = this.answers.get(shown.column.id) ?? new AnswerView(this.host, this.card);
      this.answers.set(shown.column.id, view);
      view.show(shown);
      return view.element;
    });
    place(this.answersElement, views);
  }

  edit(): void {
    const close = () => {
      this.editor.hidden = true;
      this.prompt.hidden = false;
      this.actions.hidden = false;
      this.editor.replaceChildren();
    };
    const ask = () => {
      if (area.value.trim() === '') return;
      close();
      void this.host.carryOut({ do: 'edit', turn: this.turn.id, prompt: area.value });
    };
    const area = growingText({ label: 'Edited prompt', onEnter: ask, onEscape: close });
    this.editor.replaceChildren(
      area.element,
      h('p', { class: 'help' }, 'The turns after this one are removed.'),
      h(
        'div',
        { class: 'choices' },
        button({ label: 'Ask Again', onClick: ask }),
        button({ label: 'Cancel', secondary: true, onClick: close }),
      ),
    );
    this.editor.hidden = false;
    this.prompt.hidden = true;
    this.actions.hidden = true;
    area.value = this.turn.prompt;
    area.element.focus();
  }
}
