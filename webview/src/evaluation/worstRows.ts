// The rows with the highest loss: each with the losses of its tokens drawn in its text, beside the answer that the model gives. A click
// opens the row in its own editor.
import { byLoss } from '../../../extension/src/core/playground/tokenShades.js';
import { count, counted, figure } from '../../../extension/src/core/units.js';
import type { WorstRow } from '../../../extension/src/protocol/evaluationMessages.js';
import { h, icon } from '../shared/dom.js';
import { actionLink } from '../shared/schemaForm.js';
import { TokenCard, TokenText } from '../shared/tokenText.js';

export class WorstRows {
  readonly element = h('section', { class: 'worst', 'aria-labelledby': 'worst-rows' });
  private readonly card = new TokenCard();

  /** @param onOpen opens the line of a file in its editor */
  constructor(private readonly onOpen: (file: string, line: number) => void) {}

  /** @param rows highest loss first */
  show(rows: readonly WorstRow[], withAnswers: boolean): void {
    const title = h('h2', { id: 'worst-rows' }, 'Rows with the highest loss');
    if (rows.length === 0) {
      const empty = h('p', {}, 'No row has a token on which the loss is computed.');
      return this.element.replaceChildren(title, h('div', { class: 'empty' }, icon('list-unordered'), empty));
    }
    this.element.replaceChildren(
      title,
      h(
        'p',
        { class: 'muted' },
        'Wrong answers are often among them. The stronger the colour of a token, the higher its loss; text without ',
        'colour is not trained on.',
      ),
      h(
        'table',
        { 'aria-labelledby': 'worst-rows' },
        h(
          'thead',
          {},
          h('tr', {}, ...['Row', 'Loss', withAnswers ? 'Text, and the answer of the model' : 'Text'].map(heading)),
        ),
        h('tbody', {}, ...rows.map(row => this.row(row, withAnswers))),
      ),
      this.card.element,
    );
  }

  private row(row: WorstRow, withAnswers: boolean): HTMLElement {
    const { file, line, loss, losses } = row;
    const link = actionLink({ label: `Line ${count(line)}`, run: () => this.onOpen(file, line) });
    link.title = `Open line ${line} of ${file}`;
    return h(
      'tr',
      {},
      h('th', { scope: 'row' }, link),
      h(
        'td',
        { class: 'number' },
        h('b', {}, figure(loss)),
        h('span', { class: 'muted' }, counted(losses.length, 'token')),
      ),
      h('td', {}, h('div', { class: 'texts' }, this.text(row), withAnswers && answerOf(row))),
    );
  }

  private text({ line, tokens, token_ids: ids, losses, masked }: WorstRow): HTMLElement {
    const text = new TokenText(this.card, `Text of line ${line}. Arrow keys read the losses of its tokens.`);
    const scored = tokens.map((token, i) => ({ id: ids[i]!, text: token, logprob: -losses[i]!, top: [] }));
    text.show(scored, scored.map(byLoss), masked);
    return text.element;
  }
}

function heading(text: string): HTMLElement {
  return h('th', { scope: 'col' }, text);
}

function answerOf({ answer, line }: WorstRow): HTMLElement {
  if (answer === null) return h('p', { class: 'muted' }, 'Not asked: the row has no question and answer in text.');
  const { exact_match: exact, rougeL } = answer.metrics;
  const score = exact === 1 ? 'as expected' : `ROUGE-L ${(rougeL ?? 0).toFixed(3)}`;
  return h(
    'div',
    {},
    h('p', { class: 'muted number' }, `Answer of the model · ${score}`),
    h(
      'div',
      { class: 'prose', tabindex: 0, role: 'group', 'aria-label': `Answer to line ${line}` },
      answer.answer.trim() || '(empty)',
    ),
  );
}
