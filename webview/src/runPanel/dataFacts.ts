// What is known of the training data, below its dropdown: format and rows, rows with problems with a link to the first, and why the run
// would end. Part of the run panel; the facts are those of core/data/datasetFacts.ts.
import type { TrainingData } from '../../../extension/src/protocol/runPanelMessages.js';
import { h, setText } from '../shared/dom.js';
import { actionLink, ProblemBanner, type ProblemAction } from '../shared/schemaForm.js';

type Note = TrainingData['train']['notes'][number];

export class DataFactsView {
  private readonly summary = h('p', { class: 'help number' });
  private readonly notes = h('ul', { class: 'data-notes help number', hidden: true });
  private readonly end = new ProblemBanner();
  readonly element = h('div', { class: 'data-facts', hidden: true }, this.summary, this.notes, this.end.element);

  constructor(private readonly onOpen: (line: number) => void) {}

  /** @param facts null: the file isn't read yet, or there is none */
  show(facts: TrainingData['train'] | null, isBusy: boolean): void {
    this.element.hidden = facts === null && !isBusy;
    setText(this.summary, facts ? facts.summary : 'Reading the rows...');
    // The banner below has the line that ends the run.
    const notes = facts?.notes.filter(({ line }) => facts.end === null || line !== facts.end.line) ?? [];
    this.notes.hidden = notes.length === 0;
    this.notes.replaceChildren(...notes.map(note => h('li', {}, `${note.text} `, this.link(note))));
    this.end.show(facts?.end?.text ?? null, facts?.end ? this.opening(facts.end) : undefined);
  }

  /** What opens the line of a note; undefined if it has none. */
  opening({ line }: Note): ProblemAction | undefined {
    return line === null ? undefined : { label: `Open line ${line}`, run: () => this.onOpen(line) };
  }

  private link(note: Note): HTMLElement | null {
    const action = this.opening(note);
    return action ? actionLink(action) : null;
  }
}
