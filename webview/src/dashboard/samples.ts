// Answers to the sample prompts side by side: before training, at a step of the user's choice, and the latest.
import type { RunSnapshot } from '../../../extension/src/protocol/dashboardMessages.js';
import { h } from '../shared/dom.js';
import { dropdown } from '../shared/toolkit.js';

type Sample = RunSnapshot['samples'][number];

export class SamplesView {
  readonly element = h('section', { class: 'block', 'aria-label': 'Sample answers' });
  private readonly table = h('div', { class: 'samples' });
  private readonly between = dropdown({
    label: 'Answers at step',
    onChange: step => {
      this.chosen = step;
      this.draw();
    },
  });
  /** Step chosen by the user; until then, the middle one is shown. */
  private chosen = '';
  private readonly choice = h(
    'div',
    { class: 'choice' },
    h('span', { class: 'muted' }, 'In between, at step'),
    this.between.element,
  );
  private samples: readonly Sample[] = [];
  private shownFor = '';
  /** Shown in place of a missing answer, depending on whether one may still come. */
  private missing = '';

  constructor() {
    this.element.append(h('h2', {}, 'Sample answers'), this.choice, this.table);
  }

  show({ folder, samples, status }: RunSnapshot): void {
    this.missing = status === 'starting' || status === 'running' || status === 'paused' ? 'not yet' : 'none';
    const key = `${folder} ${samples.length} ${samples.at(-1)?.step} ${this.missing}`;
    if (key === this.shownFor) return;
    this.shownFor = key;
    this.samples = samples;
    const last = samples.at(-1)?.step;
    const steps = [...new Set(samples.map(({ step }) => step))].filter(step => step !== 0 && step !== last);
    this.choice.hidden = steps.length === 0;
    this.between.choices = steps.map(step => ({ value: String(step), label: String(step) }));
    this.between.value = steps.some(step => String(step) === this.chosen)
      ? this.chosen
      : String(steps[steps.length >> 1] ?? '');
    this.draw();
  }

  private draw(): void {
    if (this.samples.length === 0)
      return this.table.replaceChildren(
        h(
          'p',
          { class: 'muted' },
          'No sample prompts. Add some to samples.prompts in the run file to see how training changes the answers.',
        ),
      );
    const prompts = [...new Set(this.samples.map(({ prompt }) => prompt))];
    const between = this.between.value === '' ? null : Number(this.between.value);
    const columns = [
      { title: 'Before', find: (own: Sample[]) => own.find(({ step }) => step === 0) },
      ...(between === null
        ? []
        : [{ title: `Step ${between}`, find: (own: Sample[]) => own.find(({ step }) => step === between) }]),
      { title: this.lastTitle(), find: (own: Sample[]) => own.findLast(({ step }) => step > 0) },
    ];
    this.table.replaceChildren(
      h(
        'table',
        {},
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            h('th', { scope: 'col' }, 'Prompt'),
            ...columns.map(({ title }) => h('th', { scope: 'col' }, title)),
          ),
        ),
        h(
          'tbody',
          {},
          ...prompts.map(prompt => {
            const own = this.samples.filter(sample => sample.prompt === prompt);
            const cells = columns.map(({ title, find }) => {
              const found = find(own);
              return h(
                'td',
                { 'data-label': title, class: found ? '' : 'muted' },
                found ? found.text || '(empty answer)' : this.missing,
              );
            });
            return h('tr', {}, h('th', { scope: 'row' }, prompt), ...cells);
          }),
        ),
      ),
    );
  }

  private lastTitle(): string {
    const last = this.samples.at(-1)!.step;
    return last === 0 ? 'After' : `After step ${last}`;
  }
}
