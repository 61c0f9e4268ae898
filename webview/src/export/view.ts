// The Export view: targets as cards, what the chosen one takes and its options, the export with its progress, and what came of it. Wired
// up by main.ts.
import type { JsonSchema } from '../../../extension/src/core/forms/jsonSchema.js';
import { roughDuration } from '../../../extension/src/core/runs/runStatus.js';
import { bytes } from '../../../extension/src/core/units.js';
import type { EvaluationFailure } from '../../../extension/src/protocol/evaluationMessages.js';
import {
  cancelExport,
  changeExportPlace,
  chooseExport,
  openExportPlace,
  startExport,
  hasOwnPlace,
  type ExportCard,
  type ExportSnapshot,
  type ExportState,
} from '../../../extension/src/protocol/exportMessages.js';
import type { WebviewChannel } from '../../../extension/src/protocol/webviewChannel.js';
import { fileName } from '../../../extension/src/core/fileName.js';
import { CardGroup } from '../shared/cardGroup.js';
import { h, icon, setText } from '../shared/dom.js';
import { phaseText } from '../shared/phaseText.js';
import { ProgressBar } from '../shared/progressBar.js';
import { placeLabel, reasonBlock } from '../shared/reasonBlock.js';
import { actionLink, ProblemBanner, SchemaForm } from '../shared/schemaForm.js';
import { button } from '../shared/toolkit.js';
import { ExportResult } from './result.js';

export class ExportView {
  readonly element: HTMLElement;
  private readonly name = h('h1');
  private readonly about = h('p', { class: 'muted' });
  private readonly problem = new ProblemBanner();
  private readonly waiting = h('p', { class: 'muted', role: 'status' });
  private readonly targets = h('section', { class: 'block', 'aria-labelledby': 'targets', hidden: true });
  private readonly chosenTitle = h('h2', { id: 'chosen' });
  private readonly refusal = h('div', { class: 'failure' });
  private readonly form = h('div', { class: 'form' });
  private readonly needs = h('ul', { class: 'needs', 'aria-label': 'What it needs' });
  private readonly place = h('p', { class: 'place' });
  private readonly start = button({
    label: 'Export',
    icon: 'export',
    onClick: () => this.channel.notify(startExport, undefined),
  });
  private readonly cancel = button({
    label: 'Cancel',
    icon: 'debug-stop',
    secondary: true,
    onClick: () => this.channel.notify(cancelExport, undefined),
  });
  private readonly status = h('p', { role: 'status' });
  private readonly progress = new ProgressBar('Export');
  private readonly failure = h('div', { class: 'failure' });
  private readonly chosen: HTMLElement;
  private readonly result: ExportResult;
  private cards: CardGroup | null = null;
  private readonly figures = new Map<string, HTMLElement>();
  private readonly forms = new Map<string, SchemaForm>();

  /** What `showChosen` has drawn last. */
  private drawn = '';

  constructor(
    private readonly channel: WebviewChannel,
    private readonly keep: (snapshot: ExportSnapshot) => void,
  ) {
    this.result = new ExportResult(channel);
    this.chosen = h(
      'section',
      { class: 'block chosen', 'aria-labelledby': 'chosen', hidden: true },
      this.chosenTitle,
      this.refusal,
      this.form,
      this.needs,
      this.place,
      h('div', { class: 'actions' }, this.start, this.cancel),
      this.status,
      this.progress.element,
      this.failure,
    );
    const head = h('header', { class: 'head' }, h('div', { class: 'title' }, this.name), this.about);
    this.element = h(
      'div',
      { class: 'export' },
      head,
      this.problem.element,
      this.waiting,
      this.targets,
      this.chosen,
      this.result.element,
    );
  }

  show(snapshot: ExportSnapshot): void {
    const { subject, cards, planning, state } = snapshot;
    if (state.kind !== 'running') this.keep(snapshot);
    setText(this.name, `Export ${subject.name}`);
    setText(this.about, subject.about);
    const isWaiting = cards.length === 0 && state.kind !== 'failed';
    setText(this.waiting, isWaiting ? 'Asking the engine what it can export to...' : '');
    this.showCards(snapshot);
    const card = cards.find(({ target }) => target === snapshot.choice?.target);
    this.chosen.hidden = !card && state.kind !== 'failed';
    if (card) this.showChosen(card, snapshot);
    this.showState(state, card !== undefined && card.refused === null, planning);
    this.result.show(state.kind === 'completed' ? state : null);
  }

  showProblem(message: string): void {
    this.problem.show(message);
  }

  private showCards({ cards, choice, planning }: ExportSnapshot): void {
    this.targets.hidden = cards.length === 0;
    if (cards.length === 0) return;
    if (!this.cards) {
      const contents = cards.map(({ target, title, description }) => {
        const figure = h('span', { class: 'card-figure muted number' });
        this.figures.set(target, figure);
        return { key: target, title, content: [h('span', { class: 'card-text' }, description), figure] };
      });
      this.cards = new CardGroup('Target', contents, target => this.choose(target));
      this.targets.replaceChildren(h('h2', { id: 'targets' }, 'Export to'), this.cards.element);
    }
    this.cards.value = choice?.target ?? '';
    for (const card of cards) {
      setText(this.figures.get(card.target)!, cardFigure(card, planning));
      this.cards.note(card.target, card.refused?.message ?? '');
    }
  }

  private choose(target: string): void {
    this.channel.notify(chooseExport, { target, options: { ...this.forms.get(target)?.values } });
  }

  private showChosen(card: ExportCard, { choice, out, state }: ExportSnapshot): void {
    const { title, plan, refused } = card;
    setText(this.chosenTitle, title);
    const isRunning = state.kind === 'running';
    this.showForm(card, choice!.options);
    this.form.hidden = refused !== null || Object.keys(card.schema['properties'] ?? {}).length === 0;
    this.form.toggleAttribute('inert', isRunning);
    // Progress comes many times a second, and a link that is made again loses the focus.
    const key = JSON.stringify([card, out, state.kind]);
    if (key === this.drawn) return;
    this.drawn = key;
    this.refusal.replaceChildren(...(refused ? [this.reason(refused)] : []));
    const needs = plan?.needs ?? [];
    this.needs.replaceChildren(
      ...needs.map(({ what, met, hint }) =>
        h(
          'li',
          { class: met ? 'met' : 'missing' },
          icon(met ? 'check' : 'warning'),
          h(
            'span',
            {},
            met ? '' : h('b', {}, 'Missing: '),
            what,
            hint !== null && h('span', { class: 'muted' }, `. ${hint}`),
          ),
        ),
      ),
    );
    this.needs.hidden = needs.length === 0;
    const path = out ?? plan?.path ?? null;
    this.place.hidden = path === null;
    if (path !== null) {
      const change = actionLink({ label: 'Change...', run: () => this.channel.notify(changeExportPlace, undefined) });
      change.setAttribute('aria-label', `Change the place of ${title}`);
      const taken = out === null && plan?.taken === true && state.kind === 'choosing';
      this.place.replaceChildren(
        ...['Written to ', h('code', {}, path), ' ', isRunning || hasOwnPlace(card) ? '' : change].filter(Boolean),
        ...(taken
          ? [h('span', { class: 'muted' }, ' There is something of that name already: you will be asked.')]
          : []),
      );
    }
  }

  private showForm({ target, schema }: ExportCard, options: Readonly<Record<string, unknown>>): void {
    let form = this.forms.get(target);
    if (!form) {
      const send = () => {
        if (form!.ownProblems.size === 0) this.choose(target);
      };
      form = new SchemaForm({
        schema: schema as JsonSchema,
        important: 3,
        // The place has its own control.
        omit: ['out'],
        moreTitle: 'More options',
        onChange: send,
      });
      form.values = options;
      this.forms.set(target, form);
    }
    if (this.form.firstChild !== form.element) this.form.replaceChildren(form.element);
  }

  private showState(state: ExportState, possible: boolean, planning: boolean): void {
    const isRunning = state.kind === 'running';
    const hadFocus = this.element.contains(document.activeElement);
    this.start.hidden = isRunning || !possible;
    this.cancel.hidden = this.progress.hidden = !isRunning;
    // The button that was pressed is gone.
    if (hadFocus && document.activeElement === document.body) (isRunning ? this.cancel : this.start).focus();
    this.progress.showShare((isRunning && state.share) || 0);
    setText(this.status, statusText(state, planning));
    this.failure.replaceChildren(...(state.kind === 'failed' ? [this.reason(state.failure)] : []));
  }

  private reason({ message, hint, file, line }: EvaluationFailure): HTMLElement {
    const open = () => this.channel.notify(openExportPlace, { file: file!, line });
    const isFile = file !== null && /\.\w+$/.test(file);
    return reasonBlock(message, [
      hint !== null && h('p', { class: 'muted' }, hint),
      isFile && h('p', { class: 'place' }, actionLink({ label: placeLabel(fileName(file), line), run: open })),
    ]);
  }
}

function cardFigure({ plan, refused }: ExportCard, planning: boolean): string {
  if (refused) return 'not possible';
  if (!plan) return planning ? 'computing size and time...' : '';
  const missing = plan.needs.some(({ met }) => !met) ? ' · something is missing' : '';
  return `${bytes(plan.bytes)}, about ${roughDuration(plan.seconds)}${missing}`;
}

function statusText(state: ExportState, planning: boolean): string {
  if (state.kind === 'cancelled') return 'Cancelled. Nothing was written.';
  if (state.kind === 'failed') return 'The export failed. Nothing was written.';
  if (state.kind === 'running') return phaseText(state.phase ?? 'start', state.share, 'Comparing');
  return planning ? 'Computing size and time...' : '';
}
