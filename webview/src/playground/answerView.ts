// An answer in its column: reasoning, text or coloured tokens, figures, and what can be done with it: copy, correct, prefer, ask
// again.
import { isUnderWay } from '../../../extension/src/core/playground/conversation.js';
import { byDifference, byProbability, type TokenShade } from '../../../extension/src/core/playground/tokenShades.js';
import { counted, count } from '../../../extension/src/core/units.js';
import {
  type Column,
  type DatasetKind,
  type PlaygroundAnswer,
  type PlaygroundSnapshot,
} from '../../../extension/src/protocol/playgroundMessages.js';
import type { TokenLogprob } from '../../../extension/src/protocol/sessionMessages.js';
import { fill, h, icon, setText } from '../shared/dom.js';
import { ProblemBanner } from '../shared/schemaForm.js';
import { TokenText, type TokenCard } from '../shared/tokenText.js';
import { button, fold } from '../shared/toolkit.js';
import { growingText, type PlaygroundHost } from './commands.js';

/** How likely the tokens are in another column: empty until known, or with why they can't be compared; `null`: not compared. */
export type ComparedWith = { tokens: readonly TokenLogprob[]; problem: string | null } | null;

export interface ShownAnswer {
  answer: PlaygroundAnswer | undefined;
  column: Column;
  turn: number;
  /** Only the last turn can be asked again. */
  isLast: boolean;
  snapshot: PlaygroundSnapshot;
  /** Columns with another answer to the same prompt. */
  rivals: readonly Column[];
  /** Log-probabilities to colour by; null: no colours. */
  coloured: { tokens: readonly TokenLogprob[]; compared: ComparedWith } | null;
}

export class AnswerView {
  readonly element = h('article', { class: 'answer' });
  private readonly name = h('h3', { class: 'answer-name' });
  private readonly reasoningTitle = h('span');
  private readonly reasoningText = h('div', { class: 'prose muted' });
  private readonly reasoning = fold('', this.reasoningTitle, this.reasoningText);
  private readonly text = h('div', { class: 'prose' });
  private readonly tokens: TokenText;
  private readonly original = h('div', { class: 'prose muted' });
  private readonly originalFold = fold('The model’s own answer', this.original);
  private readonly problem = new ProblemBanner();
  private readonly ownProblem = new ProblemBanner();
  private readonly notes = h('div', { class: 'notes' });
  private readonly figures = h('p', { class: 'figures muted number' });
  private readonly actions = h('div', { class: 'actions', role: 'toolbar' });
  /** Which of several answers the preferred one is better than. */
  private readonly choices = h('div', { class: 'choices', hidden: true });
  /** What follows a correction. */
  private readonly train = button({
    label: 'Train on This',
    icon: 'mortar-board',
    secondary: true,
    onClick: () => this.run({ do: 'train', column: this.shown!.column.id }),
  });
  private readonly editor = h('div', { class: 'correction', hidden: true });
  private shown: ShownAnswer | null = null;
  private actionsFor = '';
  private colouredFor: ShownAnswer['coloured'] = null;

  constructor(
    private readonly host: PlaygroundHost,
    card: TokenCard,
  ) {
    this.tokens = new TokenText(card, 'Tokens of the answer. Arrow keys read their probabilities.');
    this.reasoning.classList.add('reasoning');
    this.reasoning.querySelector('summary')!.append(this.reasoningTitle);
    this.element.append(
      this.name,
      this.reasoning,
      this.text,
      this.tokens.element,
      this.editor,
      this.problem.element,
      this.ownProblem.element,
      this.notes,
      h('div', { class: 'choices' }, this.train),
      this.originalFold,
      this.figures,
      this.actions,
      this.choices,
    );
  }

  show(shown: ShownAnswer): void {
    this.shown = shown;
    const { answer, column, coloured } = shown;
    setText(this.name, column.name);
    fill(this.element, { 'aria-label': `Answer of ${column.name}`, 'data-status': answer?.status ?? 'none' });
    const reasoning = answer?.reasoning ?? '';
    this.reasoning.hidden = reasoning === '';
    setText(this.reasoningText, reasoning);
    setText(this.reasoningTitle, reasoningTitle(answer));
    const isColoured = coloured !== null && answer?.original == null && coloured.tokens.length > 0;
    const isEdited = !this.editor.hidden;
    this.tokens.element.hidden = !isColoured || isEdited;
    this.text.hidden = isColoured || isEdited;
    const isNew =
      coloured?.tokens !== this.colouredFor?.tokens ||
      coloured?.compared?.tokens !== this.colouredFor?.compared?.tokens;
    if (isColoured && isNew) this.tokens.show(coloured.tokens, shadesOf(coloured.tokens, coloured.compared));
    this.colouredFor = isColoured ? coloured : null;
    setText(this.text, textOf(shown));
    this.text.classList.toggle('muted', !answer?.text);
    this.originalFold.hidden = answer?.original == null;
    setText(this.original, answer?.original ?? '');
    const again = { label: 'Try again', run: () => this.askAgain() };
    this.problem.show(answer?.problem ?? null, shown.isLast ? again : undefined);
    this.notes.replaceChildren(...notesOf(shown).map(([glyph, note]) => h('p', {}, icon(glyph), h('span', {}, note))));
    setText(this.figures, answer ? figuresOf(answer) : '');
    this.figures.title = answer ? promptText(answer) : '';
    this.train.hidden = !trainable(shown);
    this.showActions(shown);
  }

  private showActions(shown: ShownAnswer): void {
    const { answer, column, isLast, rivals, snapshot } = shown;
    const isComplete = answer?.status === 'done' || answer?.status === 'stopped';
    const key = JSON.stringify([
      answer?.status,
      column.name,
      isLast,
      rivals.map(({ name }) => name),
      snapshot.trusted,
      snapshot.busy,
    ]);
    if (key === this.actionsFor) return;
    this.actionsFor = key;
    const hadFocus = this.actions.contains(document.activeElement);
    fill(this.actions, { 'aria-label': `Answer of ${column.name}` });
    const act = (label: string, glyph: string, onClick: () => void) =>
      button({ label, icon: glyph, iconOnly: true, onClick });
    this.actions.replaceChildren(
      ...(isComplete
        ? [
            act('Copy', 'copy', () => void navigator.clipboard.writeText(this.shown!.answer!.text)),
            ...(snapshot.trusted ? [act('Correct This Answer', 'edit', () => this.correct())] : []),
            ...(snapshot.trusted && rivals.length > 1
              ? [act('Prefer This to...', 'thumbsup', () => this.choices.toggleAttribute('hidden'))]
              : []),
            ...(snapshot.trusted && rivals.length === 1
              ? rivals.map(rival => act(`Prefer This to ${rival.name}`, 'thumbsup', () => this.vote(rival)))
              : []),
          ]
        : []),
      ...(isLast && !snapshot.busy
        ? answer
          ? [act('Ask Again with Another Seed', 'refresh', () => this.askAgain())]
          : [button({ label: 'Ask', icon: 'play', secondary: true, onClick: () => this.askAgain() })]
        : []),
    );
    this.choices.hidden = true;
    this.choices.replaceChildren(
      ...rivals.map(rival =>
        button({ label: `Prefer This to ${rival.name}`, secondary: true, onClick: () => this.vote(rival) }),
      ),
    );
    if (hadFocus) this.actions.querySelector<HTMLElement>('vscode-button')?.focus();
  }

  private vote(rival: Column): void {
    this.choices.hidden = true;
    const { turn, column } = this.shown!;
    this.run({ do: 'vote', turn, chosen: column.id, rejected: rival.id });
  }

  private askAgain(): void {
    const { turn, column } = this.shown!;
    this.run({ do: 'regenerate', turn, column: column.id });
  }

  private run(command: Parameters<PlaygroundHost['request']>[0]): void {
    this.ownProblem.show(null);
    this.host.request(command).catch((error: Error) => this.ownProblem.show(error.message));
  }

  /** Opens a text area in place of the answer. */
  private correct(): void {
    const { answer, turn, column, snapshot } = this.shown!;
    const problem = new ProblemBanner();
    const close = () => {
      this.editor.hidden = true;
      this.editor.replaceChildren();
      this.show(this.shown!);
      this.actions.querySelector<HTMLElement>('vscode-button')?.focus();
    };
    const save = (into: DatasetKind | null) => {
      problem.show(null);
      this.host
        .request({ do: 'correct', turn, column: column.id, text: area.value, into })
        .then(saved => {
          // Without a dataset, since none was chosen, the text stays in the editor.
          if (into === null || saved !== null) close();
        })
        .catch((error: Error) => problem.show(error.message));
    };
    const area = growingText({
      label: `Corrected answer of ${column.name}`,
      onEscape: close,
    });
    area.element.addEventListener('keydown', event => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) save('conversation');
    });
    const { conversation, preference } = snapshot.datasets;
    this.editor.replaceChildren(
      area.element,
      problem.element,
      h(
        'div',
        { class: 'choices' },
        button({
          label: conversation === null ? 'Add to Dataset...' : `Add to ${conversation}`,
          icon: 'add',
          onClick: () => save('conversation'),
        }),
        button({
          label: preference === null ? 'Add as Preference Pair...' : `Add Pair to ${preference}`,
          icon: 'thumbsup',
          secondary: true,
          onClick: () => save('preference'),
        }),
        button({ label: 'Only Here', secondary: true, onClick: () => save(null) }),
        button({ label: 'Cancel', secondary: true, onClick: close }),
      ),
    );
    this.editor.hidden = false;
    this.text.hidden = true;
    this.tokens.element.hidden = true;
    area.value = answer?.text ?? '';
    area.element.focus();
  }
}

function textOf({ answer, snapshot }: ShownAnswer): string {
  if (!answer) return 'Not asked yet.';
  if (answer.text) return answer.text;
  if (answer.status === 'waiting')
    return snapshot.model.phase === 'ready' ? 'Reading the prompt...' : 'Waiting for the model...';
  if (answer.status === 'done') return '(empty answer)';
  return answer.status === 'stopped' && !answer.reasoning ? '(stopped before the first token)' : '';
}

function reasoningTitle(answer: PlaygroundAnswer | undefined): string {
  if (!answer) return '';
  const number = answer.reasoning_tokens;
  if (answer.status === 'streaming' && answer.text === '') return 'Reasoning...';
  return number === null ? 'Reasoning' : `Reasoning (${counted(number, 'token')})`;
}

/** Whether the answer was written to a dataset that a run can be started on, from an adapter or the base. */
function trainable({ answer, column, snapshot }: ShownAnswer): boolean {
  return snapshot.trusted && answer?.saved?.kind === 'conversation' && column.parts.length <= 1;
}

/** Icon and text of what should not be overlooked. */
function notesOf({ answer, coloured }: ShownAnswer): [string, string][] {
  if (!answer) return [];
  const { dropped_turns: dropped, finish_reason: reason, status, saved, original } = answer;
  return [
    ...(dropped > 0
      ? [
          [
            'history',
            `${counted(dropped, 'earlier message')} did not fit the context and ${dropped === 1 ? 'was' : 'were'} left out.`,
          ] as [string, string],
        ]
      : []),
    ...(reason === 'length'
      ? [['warning', 'Cut off: Max new tokens, or the context, is used up.'] as [string, string]]
      : []),
    ...(status === 'stopped' ? [['debug-stop', 'Stopped.'] as [string, string]] : []),
    ...(coloured !== null && answer.num_logprobs === 0 && !isUnderWay(answer) && answer.text !== ''
      ? [['info', 'Its probabilities are not kept. Ask again to colour its tokens.'] as [string, string]]
      : []),
    ...(coloured?.compared?.problem ? [['warning', coloured.compared.problem] as [string, string]] : []),
    ...(original !== null ? [['edit', 'Corrected.'] as [string, string]] : []),
    ...(saved !== null ? [['database', saved.text] as [string, string]] : []),
  ];
}

const REASONS = { stop: 'complete', length: 'length', tool_calls: 'tool call', cancelled: 'stopped' };

/** `38 tokens · 61 tokens/s · first after 120 ms · complete` */
function figuresOf(answer: PlaygroundAnswer): string {
  const { num_tokens: tokens, tokens_per_second: speed, first_token_ms: first } = answer;
  if (tokens === 0 && first === null) return '';
  return [
    counted(tokens, 'token'),
    speed !== null && `${count(Math.round(speed))} tokens/s`,
    first !== null && `first after ${count(Math.round(first))} ms`,
    answer.finish_reason && REASONS[answer.finish_reason],
  ]
    .filter(Boolean)
    .join(' · ');
}

function promptText({ prompt_tokens: prompt, cached_tokens: cached }: PlaygroundAnswer): string {
  if (prompt === null) return '';
  return `${counted(prompt, 'prompt token')}, ${count(cached ?? 0)} of them kept from an earlier answer`;
}

function shadesOf(tokens: readonly TokenLogprob[], compared: ComparedWith): (TokenShade | null)[] {
  return tokens.map((token, index) => {
    if (compared === null) return byProbability(token);
    const there = compared.tokens[index];
    return there ? byDifference(token, there) : null;
  });
}
