// An evaluation on a dataset: how far it is, its figures, and the rows with the highest loss. Wired up by main.ts.
import { count, counted, dayAndTime, figure, percent } from '../../../extension/src/core/units.js';
import {
  cancelEvaluation,
  evaluateAgain,
  openEvaluated,
  type EvaluationFailure,
  type EvaluationResult,
  type EvaluationSnapshot,
  type EvaluationState,
} from '../../../extension/src/protocol/evaluationMessages.js';
import type { WebviewChannel } from '../../../extension/src/protocol/webviewChannel.js';
import { fileName } from '../../../extension/src/core/fileName.js';
import { h, icon, setText } from '../shared/dom.js';
import { phaseText } from '../shared/phaseText.js';
import { ProgressBar } from '../shared/progressBar.js';
import { placeLabel, reasonBlock } from '../shared/reasonBlock.js';
import { actionLink, ProblemBanner } from '../shared/schemaForm.js';
import { button } from '../shared/toolkit.js';
import { WorstRows } from './worstRows.js';

export class EvaluationView {
  readonly element: HTMLElement;
  private readonly name = h('h1');
  private readonly about = h('p', { class: 'muted' });
  private readonly status = h('p', { role: 'status' });
  private readonly progress = new ProgressBar('Evaluation');
  private readonly cancel = button({
    label: 'Cancel',
    icon: 'debug-stop',
    secondary: true,
    onClick: () => this.channel.notify(cancelEvaluation, undefined),
  });
  private readonly again = button({
    label: 'Evaluate Again',
    icon: 'refresh',
    secondary: true,
    onClick: () => this.channel.notify(evaluateAgain, undefined),
  });
  private readonly problem = new ProblemBanner();
  private readonly failure = h('div', { class: 'failure' });
  private readonly notes = h('ul', { class: 'notes', 'aria-label': 'Warnings' });
  private readonly figures = h('dl', { class: 'figures' });
  private readonly worst: WorstRows;
  private shownResult: EvaluationResult | null = null;

  constructor(
    private readonly channel: WebviewChannel,
    private readonly keep: (snapshot: EvaluationSnapshot) => void,
  ) {
    this.worst = new WorstRows((file, line) => this.open(file, line));
    this.element = h(
      'div',
      { class: 'evaluation' },
      h(
        'header',
        { class: 'head' },
        h('div', { class: 'title' }, this.name, this.again, this.cancel),
        this.about,
        this.status,
        this.progress.element,
        this.problem.element,
        this.failure,
        this.notes,
        this.figures,
      ),
      this.worst.element,
    );
  }

  show(snapshot: EvaluationSnapshot): void {
    const { target, name, state } = snapshot;
    if (state.kind !== 'running') this.keep(snapshot);
    setText(this.name, `${name} on ${fileName(target.dataset)}`);
    setText(this.status, statusText(state));
    this.showProgress(state);
    this.showFailure(state.kind === 'failed' ? state.failure : null);
    this.showResult(state.kind === 'completed' ? state.result : null, target.answers);
  }

  showProblem(message: string): void {
    this.problem.show(message);
  }

  private open(file: string, line: number | null): void {
    this.channel.notify(openEvaluated, { file, line });
  }

  private showProgress(state: EvaluationState): void {
    const isRunning = state.kind === 'running';
    const hadFocus = this.element.contains(document.activeElement);
    this.progress.hidden = this.cancel.hidden = !isRunning;
    this.again.hidden = isRunning;
    // The button that was pressed is gone.
    if (hadFocus && document.activeElement === document.body) (isRunning ? this.cancel : this.again).focus();
    this.progress.showShare((isRunning && state.share) || 0);
  }

  private showFailure(failure: EvaluationFailure | null): void {
    this.failure.hidden = failure === null;
    if (failure === null) return this.failure.replaceChildren();
    const { message, hint, file, line } = failure;
    const place = file === null ? null : placeLabel(fileName(file), line);
    this.failure.replaceChildren(
      reasonBlock(message, [
        hint !== null && h('p', { class: 'muted' }, hint),
        place !== null && h('p', { class: 'place' }, actionLink({ label: place, run: () => this.open(file!, line) })),
      ]),
    );
  }

  private showResult(result: EvaluationResult | null, withAnswers: boolean): void {
    const isShown = result !== null;
    this.notes.hidden = this.figures.hidden = this.worst.element.hidden = this.about.hidden = !isShown;
    if (!isShown || result === this.shownResult) return;
    this.shownResult = result;
    const { scores, warnings } = result;
    setText(
      this.about,
      `${counted(scores.rows, 'row')}, ${counted(scores.num_label_tokens, 'label token')} · evaluated ${dayAndTime(result.time)}`,
    );
    this.notes.replaceChildren(...warnings.map(text => h('li', {}, icon('warning'), h('span', {}, text))));
    this.notes.hidden = warnings.length === 0;
    this.figures.replaceChildren(...figuresOf(result));
    this.worst.show(result.worst, withAnswers);
  }
}

function statusText(state: EvaluationState): string {
  if (state.kind === 'cancelled') return 'Cancelled before it had a result.';
  if (state.kind === 'failed') return 'The evaluation failed.';
  if (state.kind === 'completed') return '';
  return phaseText(state.phase ?? 'start', state.share, 'Computing the loss');
}

function figuresOf({ scores, answered, exact }: EvaluationResult): HTMLElement[] {
  const item = (label: string, value: string, note = '') =>
    h(
      'div',
      {},
      h('dt', { class: 'muted' }, label),
      h('dd', { class: 'number' }, h('b', {}, value), note !== '' && h('span', { class: 'muted' }, ` ${note}`)),
    );
  const rouge = (['rouge1', 'rouge2', 'rougeL'] as const).flatMap(name => {
    const score = scores[name];
    return score === undefined ? [] : [item(`ROUGE-${name.slice(-1)}`, score.toFixed(3))];
  });
  return [
    item('Loss', figure(scores.loss), 'per label token'),
    item('Perplexity', figure(scores.perplexity)),
    item('Token accuracy', percent(scores.token_accuracy)),
    ...rouge,
    ...(answered > 0
      ? [item('Exact match', percent(exact / answered), `${count(exact)} of ${count(answered)} answers`)]
      : []),
  ];
}
