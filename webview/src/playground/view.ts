// The playground's page: a conversation with one to four columns, the input that goes to all of them, and the panes beside it.
// Shows the host's snapshots; only what is being typed, and which pane is open, is its own.
import type { JsonSchema } from '../../../extension/src/core/forms/jsonSchema.js';
import { bytes, count } from '../../../extension/src/core/units.js';
import { isUnderWay } from '../../../extension/src/core/playground/conversation.js';
import {
  commandPlayground,
  fetchTokens,
  MAX_COLUMNS,
  scoreAnswer,
  type Column,
  type PlaygroundCommand,
  type PlaygroundSnapshot,
  type PlaygroundTurn,
} from '../../../extension/src/protocol/playgroundMessages.js';
import type { TokenLogprob } from '../../../extension/src/protocol/sessionMessages.js';
import type { WebviewChannel } from '../../../extension/src/protocol/webviewChannel.js';
import { fileName } from '../../../extension/src/core/fileName.js';
import { h, icon, place, setText } from '../shared/dom.js';
import { ProblemBanner } from '../shared/schemaForm.js';
import { TokenCard } from '../shared/tokenText.js';
import { button, dropdown } from '../shared/toolkit.js';
import type { ComparedWith, ShownAnswer } from './answerView.js';
import { ColumnHead } from './columnHead.js';
import { growingText, type PlaygroundHost } from './commands.js';
import { ConversationList } from './conversationList.js';
import { SettingsPane } from './settingsPane.js';
import { TrainingStrip } from './trainingStrip.js';
import { TurnView } from './turnView.js';

/** What survives a reload of the page. */
export interface KeptView {
  settings: boolean;
  conversations: boolean;
  colours: string;
  /** For the host, which restores the tab by it. */
  conversation: string;
}

const NO_COLOURS = 'none';
const BY_PROBABILITY = 'probability';
const NO_TOKENS: readonly TokenLogprob[] = [];
const UNKNOWN: NonNullable<ComparedWith> = { tokens: NO_TOKENS, problem: null };
/** Prefix of the choice that compares with a column. */
const DIFFERENCE = 'difference ';
/** In pixels; below, the settings start closed. */
const WIDE = 1000;
/** Distance from the end, in pixels, within which the page follows an answer that grows. */
const NEAR_END = 80;

export class PlaygroundView {
  readonly element = h('div', { class: 'playground' });
  private readonly title = h('h1');
  private readonly about = h('p', { class: 'muted about', role: 'status' });
  private readonly heads = h('div', { class: 'heads' });
  private readonly turns = h('div', { class: 'turns', role: 'log', 'aria-live': 'off', 'aria-label': 'Conversation' });
  private readonly scroller = h('div', { class: 'scroller' });
  private readonly empty = h('div', { class: 'empty' });
  private readonly legend = h('div', { class: 'legend', hidden: true });
  private readonly problem = new ProblemBanner();
  private readonly notice = h('p', { class: 'notice', role: 'status', hidden: true });
  private readonly sharing = h('p', { class: 'help', role: 'status', hidden: true });
  private readonly finished = h('p', { class: 'visually-hidden', role: 'status' });
  private readonly modelProblem = new ProblemBanner();
  private readonly card = new TokenCard();
  private readonly settings: SettingsPane;
  private readonly conversations: ConversationList;
  private readonly trainings: TrainingStrip;
  private readonly colours = dropdown({ label: 'Colour tokens by', onChange: chosen => this.colourBy(chosen) });
  private readonly input;
  private readonly sendButton = button({
    label: 'Send (Enter)',
    icon: 'send',
    iconOnly: true,
    onClick: () => this.send(),
  });
  private readonly stopButton = button({
    label: 'Stop (Escape)',
    icon: 'debug-stop',
    iconOnly: true,
    onClick: () => void this.host.carryOut({ do: 'stop' }),
  });
  private readonly addColumn = button({
    label: 'Add Column...',
    icon: 'split-horizontal',
    iconOnly: true,
    onClick: () => void this.host.carryOut({ do: 'addColumn' }),
  });
  private readonly clear = button({
    label: 'Clear Conversation',
    icon: 'clear-all',
    iconOnly: true,
    onClick: () => void this.host.carryOut({ do: 'clear' }),
  });
  private readonly toggles: Readonly<Record<'settings' | 'conversations', HTMLElement>>;
  private readonly headViews = new Map<string, ColumnHead>();
  private readonly turnViews = new Map<string, TurnView>();
  /** Log-probabilities that were fetched, by conversation, turn and column. */
  private readonly tokens = new Map<string, TokenLogprob[]>();
  private readonly fetching = new Set<string>();
  /** By fetched tokens, how likely they are in other columns. */
  private readonly scores = new WeakMap<readonly TokenLogprob[], Map<string, NonNullable<ComparedWith>>>();
  private readonly host: PlaygroundHost;
  private readonly kept: KeptView;
  private snapshot: PlaygroundSnapshot | null = null;
  private wasBusy = false;

  constructor(
    channel: WebviewChannel,
    samplingSchema: JsonSchema,
    kept: KeptView | undefined,
    private readonly keep: (kept: KeptView) => void,
  ) {
    this.kept = kept ?? {
      settings: window.innerWidth >= WIDE,
      conversations: false,
      colours: NO_COLOURS,
      conversation: '',
    };
    const request = (command: PlaygroundCommand) => channel.request(commandPlayground, command);
    this.host = {
      request,
      carryOut: async command => {
        this.problem.show(null);
        try {
          this.say(await request(command));
        } catch (error) {
          this.say(null);
          this.problem.show((error as Error).message);
        }
      },
      tokens: (turn, column, from) => channel.request(fetchTokens, { turn, column, from }),
      scores: (turn, column, by) => channel.request(scoreAnswer, { turn, column, by }),
    };
    this.settings = new SettingsPane(this.host, samplingSchema);
    this.conversations = new ConversationList(this.host);
    this.trainings = new TrainingStrip(this.host);
    this.input = growingText({
      label: 'Message to all columns',
      placeholder: 'Ask all columns',
      onInput: () => this.showSending(),
      onEnter: () => this.send(),
      onEscape: () => this.snapshot?.busy && void this.host.carryOut({ do: 'stop' }),
    });
    this.input.element.addEventListener('keydown', event => {
      if (event.key !== 'ArrowUp' || this.input.value !== '') return;
      event.preventDefault();
      const last = this.snapshot?.conversation.turns.at(-1);
      if (last) this.turnViews.get(this.keyOf(last))?.edit();
    });
    this.toggles = {
      conversations: this.toggle('conversations', 'Conversations', 'history'),
      settings: this.toggle('settings', 'Settings', 'settings'),
    };
    this.build();
    this.showPanes();
  }

  /** Puts a prompt into the input. */
  propose(prompt: string): void {
    this.input.value = prompt;
    this.showSending();
    this.input.element.focus();
  }

  show(snapshot: PlaygroundSnapshot): void {
    const isFirst = this.snapshot === null;
    const isOther = this.snapshot?.conversation.id !== snapshot.conversation.id;
    const follows = isOther || this.isNearEnd() || (snapshot.busy && !this.wasBusy);
    this.snapshot = snapshot;
    const { conversation } = snapshot;
    if (isOther) {
      this.tokens.clear();
      this.kept.conversation = conversation.id;
      this.keep(this.kept);
    }
    setText(this.title, conversation.title);
    this.showAbout(snapshot);
    this.element.style.setProperty('--columns', String(conversation.columns.length));
    this.showHeads(snapshot);
    this.showColourChoices(snapshot);
    this.showTurns(snapshot);
    this.settings.show(snapshot);
    this.conversations.show(snapshot);
    this.trainings.show(snapshot);
    this.sharing.hidden = snapshot.sharing === null;
    setText(this.sharing, snapshot.sharing ?? '');
    this.clear.disabled = conversation.turns.length === 0;
    this.addColumn.disabled = conversation.columns.length >= MAX_COLUMNS;
    this.showSending();
    if (this.wasBusy && !snapshot.busy) setText(this.finished, 'All columns have answered.');
    else if (snapshot.busy) setText(this.finished, '');
    this.wasBusy = snapshot.busy;
    if (follows) this.scroller.scrollTop = this.scroller.scrollHeight;
    if (isFirst) this.input.element.focus();
  }

  private build(): void {
    const create = button({
      label: 'New Conversation',
      icon: 'add',
      iconOnly: true,
      onClick: () => {
        void this.host.carryOut({ do: 'newConversation' });
        this.input.element.focus();
      },
    });
    this.scroller.append(this.heads, this.empty, this.turns);
    const line = h('div', { class: 'input-line' }, this.input.element, this.sendButton, this.stopButton);
    this.element.append(
      h(
        'header',
        { class: 'page-head' },
        h('div', { class: 'page-title' }, this.title, this.about),
        h(
          'div',
          { class: 'toolbar', role: 'toolbar', 'aria-label': 'Playground' },
          h('span', { class: 'colour-choice' }, this.colours.element),
          create,
          this.toggles.conversations,
          this.addColumn,
          this.clear,
          this.toggles.settings,
        ),
      ),
      h(
        'div',
        { class: 'panes' },
        this.conversations.element,
        h(
          'div',
          { class: 'chat' },
          this.modelProblem.element,
          this.legend,
          this.scroller,
          h(
            'footer',
            { class: 'composer' },
            this.trainings.element,
            this.sharing,
            this.problem.element,
            this.notice,
            line,
            h(
              'p',
              { class: 'help' },
              'Enter sends, Shift+Enter starts a line, Escape stops. ↑ edits the last message.',
            ),
          ),
        ),
        this.settings.element,
      ),
      this.card.element,
      this.finished,
    );
  }

  private toggle(pane: 'settings' | 'conversations', label: string, glyph: string): HTMLElement {
    return button({
      label,
      icon: glyph,
      iconOnly: true,
      onClick: () => {
        this.kept[pane] = !this.kept[pane];
        this.keep(this.kept);
        this.showPanes();
      },
    });
  }

  private showPanes(): void {
    this.settings.element.hidden = !this.kept.settings;
    this.conversations.element.hidden = !this.kept.conversations;
    for (const pane of ['settings', 'conversations'] as const)
      this.toggles[pane].setAttribute('aria-expanded', String(this.kept[pane]));
  }

  private say(sentence: string | null): void {
    this.notice.hidden = sentence === null;
    setText(this.notice, sentence ?? '');
  }

  private send(): void {
    const prompt = this.input.value;
    if (prompt.trim() === '' || this.snapshot?.busy) return;
    this.input.value = '';
    void this.host.carryOut({ do: 'send', prompt });
  }

  private showSending(): void {
    const busy = this.snapshot?.busy ?? false;
    const hadFocus = document.activeElement === this.sendButton || document.activeElement === this.stopButton;
    this.sendButton.hidden = busy;
    this.stopButton.hidden = !busy;
    this.sendButton.disabled = this.input.value.trim() === '' || this.snapshot?.trusted === false;
    if (hadFocus) this.input.element.focus();
  }

  private showAbout(snapshot: PlaygroundSnapshot): void {
    const { model, memory, conversation, trusted } = snapshot;
    const name = fileName(conversation.model);
    const states = {
      none: 'is loaded with the first message',
      loading: model.message ?? 'loading the model...',
      ready: memory && `${bytes(memory.rss_bytes)} in memory, ${bytes(memory.available_bytes)} free`,
      ended: 'no longer in memory; the next message loads it again',
      failed: 'not loaded',
    };
    const used = usedOf(snapshot);
    const weights = conversation.base_weights;
    const parts = [
      weights === null ? name : `${name} in ${weights}`,
      trusted ? states[model.phase] : 'not loaded in Restricted Mode',
      model.facts &&
        (used === null
          ? `context of ${count(model.facts.context_length)} tokens`
          : `${count(used)} of ${count(model.facts.context_length)} tokens of context used`),
      model.facts?.has_chat_template === false && 'the base has no chat template: it continues the text as it is',
    ];
    setText(this.about, parts.filter(Boolean).join(' · '));
    this.about.dataset['phase'] = model.phase;
    const { smaller } = model;
    const again = smaller
      ? { label: `Load in ${smaller}`, run: () => void this.host.carryOut({ do: 'load', base_weights: smaller }) }
      : { label: 'Try again', run: () => void this.host.carryOut({ do: 'load' }) };
    this.modelProblem.show(model.phase === 'failed' ? model.message : null, again);
  }

  private showHeads(snapshot: PlaygroundSnapshot): void {
    const { columns } = snapshot.conversation;
    for (const id of this.headViews.keys()) if (!columns.some(column => column.id === id)) this.headViews.delete(id);
    const elements = columns.map(column => {
      const head = this.headViews.get(column.id) ?? new ColumnHead(this.host, column);
      this.headViews.set(column.id, head);
      head.show(column, snapshot);
      return head.element;
    });
    place(this.heads, elements);
  }

  private keyOf({ id }: PlaygroundTurn): string {
    return `${this.snapshot!.conversation.id} ${id}`;
  }

  private showTurns(snapshot: PlaygroundSnapshot): void {
    const { turns, columns } = snapshot.conversation;
    this.showEmpty(snapshot);
    const keys = turns.map(turn => this.keyOf(turn));
    for (const key of this.turnViews.keys()) if (!keys.includes(key)) this.turnViews.delete(key);
    const elements = turns.map((turn, index) => {
      const view = this.turnViews.get(keys[index]!) ?? new TurnView(this.host, this.card, turn);
      this.turnViews.set(keys[index]!, view);
      view.show(
        turn,
        columns.map(column => this.shownAnswer(turn, column, index === turns.length - 1, snapshot)),
      );
      return view.element;
    });
    place(this.turns, elements);
  }

  private shownAnswer(
    turn: PlaygroundTurn,
    column: Column,
    isLast: boolean,
    snapshot: PlaygroundSnapshot,
  ): ShownAnswer {
    const answer = turn.answers[column.id];
    const rivals = snapshot.conversation.columns.filter(({ id }) => {
      const other = turn.answers[id];
      return id !== column.id && other && !isUnderWay(other) && other.text !== '' && other.text !== answer?.text;
    });
    return { answer, column, turn: turn.id, isLast, snapshot, rivals, coloured: this.colouredBy(turn, column) };
  }

  private showEmpty({ conversation, trusted, model }: PlaygroundSnapshot): void {
    const { turns, columns } = conversation;
    this.empty.hidden = turns.length > 0;
    if (turns.length > 0) return;
    const names = columns.map(({ name }) => name);
    const all = names.length === 1 ? names[0]! : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
    const help = !trusted
      ? 'This workspace is in Restricted Mode. Trust it to load models and to ask them.'
      : names.length === 1
        ? 'Add a column to compare it with another adapter.'
        : 'All columns get the same message, with the same seed.';
    const loading = model.phase === 'loading' ? 'The model is being loaded. You may ask already.' : '';
    this.empty.replaceChildren(
      icon('comment-discussion'),
      h('p', { class: 'empty-title' }, `Ask ${all}`),
      h('p', { class: 'muted' }, help),
      h('p', { class: 'muted' }, loading || 'Correct an answer to make it training data.'),
    );
  }

  // Colours

  private colourBy(chosen: string): void {
    this.kept.colours = chosen;
    this.keep(this.kept);
    this.card.hide();
    if (this.snapshot) this.show(this.snapshot);
  }

  private showColourChoices({ conversation }: PlaygroundSnapshot): void {
    const { columns } = conversation;
    const choices = [
      { value: NO_COLOURS, label: 'No colours' },
      { value: BY_PROBABILITY, label: 'Probability' },
      ...(columns.length < 2
        ? []
        : columns.map(({ id, name }) => ({ value: `${DIFFERENCE}${id}`, label: `Difference from ${name}` }))),
    ];
    if (JSON.stringify(choices) !== JSON.stringify(this.colours.choices)) this.colours.choices = choices;
    const chosen = choices.some(({ value }) => value === this.kept.colours) ? this.kept.colours : NO_COLOURS;
    this.kept.colours = chosen;
    if (this.colours.value !== chosen) this.colours.value = chosen;
    this.showLegend(chosen, choices.find(({ value }) => value === chosen)!.label);
  }

  private showLegend(chosen: string, label: string): void {
    if (this.legend.dataset['for'] === label) return;
    this.legend.dataset['for'] = label;
    this.legend.hidden = chosen === NO_COLOURS;
    const sample = (side: string, strength: number) => {
      const element = h('span', { class: 'token sample', 'data-side': side, 'aria-hidden': 'true' }, ' ');
      element.style.setProperty('--strength', String(strength));
      return element;
    };
    const scale = (side: string) => [0.1, 0.4, 0.7, 1].map(strength => sample(side, strength));
    const parts =
      chosen === BY_PROBABILITY
        ? ['Certain', ...scale('unlikely'), 'unlikely (0.1% or less)']
        : [
            'Less likely',
            ...scale('less').toReversed(),
            ...scale('more'),
            `more likely than in ${label.slice('Difference from '.length)}`,
          ];
    this.legend.replaceChildren(
      ...parts.map(part => (typeof part === 'string' ? h('span', {}, part) : part)),
      h('span', { class: 'muted' }, 'Point at a token, or use the arrow keys, for its alternatives.'),
    );
  }

  /** null: the answer has no colours. What is missing is fetched, and shown when it has arrived. */
  private colouredBy(turn: PlaygroundTurn, column: Column): ShownAnswer['coloured'] {
    const { colours } = this.kept;
    if (colours === NO_COLOURS) return null;
    const tokens = this.tokensOf(turn, column);
    if (colours === BY_PROBABILITY) return { tokens, compared: null };
    const other = this.snapshot!.conversation.columns.find(({ id }) => `${DIFFERENCE}${id}` === colours);
    if (!other || other.id === column.id) return null;
    return { tokens, compared: this.scoresOf(turn, column, other, tokens) };
  }

  /** An answer is compared once it is complete. */
  private scoresOf(
    turn: PlaygroundTurn,
    column: Column,
    by: Column,
    tokens: readonly TokenLogprob[],
  ): NonNullable<ComparedWith> {
    const answer = turn.answers[column.id];
    const isComplete =
      answer && !isUnderWay(answer) && answer.original === null && tokens.length >= answer.num_logprobs;
    if (!isComplete || tokens.length === 0) return UNKNOWN;
    const known = this.scores.get(tokens) ?? new Map<string, NonNullable<ComparedWith>>();
    this.scores.set(tokens, known);
    const key = JSON.stringify([by.id, by.parts]);
    const scored = known.get(key);
    if (scored) return scored;
    const take = (taken: NonNullable<ComparedWith>) => {
      known.set(key, taken);
      if (this.snapshot) this.show(this.snapshot);
    };
    known.set(key, UNKNOWN);
    this.host.scores(turn.id, column.id, by.id).then(
      there => take({ tokens: there, problem: null }),
      (error: Error) => take({ tokens: [], problem: error.message }),
    );
    return UNKNOWN;
  }

  /** The same array as long as it has the same tokens. */
  private tokensOf(turn: PlaygroundTurn, { id }: Column): readonly TokenLogprob[] {
    const total = turn.answers[id]?.num_logprobs ?? 0;
    const key = `${this.keyOf(turn)} ${turn.seed} ${turn.prompt} ${id}`;
    // Those of an earlier answer to the same question are more than the new one has at first.
    if ((this.tokens.get(key)?.length ?? 0) > total) this.tokens.delete(key);
    const known = this.tokens.get(key) ?? NO_TOKENS;
    if (known.length < total && !this.fetching.has(key)) {
      this.fetching.add(key);
      void this.host.tokens(turn.id, id, known.length).then(
        more => {
          this.fetching.delete(key);
          if (more.length === 0) return;
          this.tokens.set(key, [...known, ...more]);
          if (this.snapshot) this.show(this.snapshot);
        },
        () => this.fetching.delete(key),
      );
    }
    return known;
  }

  private isNearEnd(): boolean {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR_END;
  }
}

/** Tokens of the longest conversation of a column, after its last answer. */
function usedOf({ conversation }: PlaygroundSnapshot): number | null {
  const answers = Object.values(conversation.turns.at(-1)?.answers ?? {});
  const used = answers.flatMap(({ prompt_tokens, num_tokens }) =>
    prompt_tokens === null ? [] : [prompt_tokens + num_tokens],
  );
  return used.length === 0 ? null : Math.max(...used);
}
