// "Choose for me": the best entry within limits of memory and time, in the words of the report, and the way to its options.
import { chooseEntry, type EntryFigures, type RaceLimits } from '../../../extension/src/core/race/raceFigures.js';
import { choiceText } from '../../../extension/src/core/race/raceReport.js';
import { h, setText } from '../shared/dom.js';
import { button, textField, type Control } from '../shared/toolkit.js';

/** As they were typed: in GB and minutes. */
export interface Limits {
  memory: string;
  time: string;
}

export class ChoiceView {
  readonly element: HTMLElement;
  private readonly fields: Record<keyof Limits, Control<string> & { invalid: boolean }>;
  private readonly text = h('p', { role: 'status' });
  private readonly offers = h('div', { class: 'actions' });
  private entries: readonly EntryFigures[] = [];
  private offered = '';

  constructor(
    private limits: Limits,
    private readonly onLimits: (limits: Limits) => void,
    private readonly onUse: (entry: string) => void,
  ) {
    const field = (key: keyof Limits, label: string) => {
      const control = textField({
        label,
        placeholder: 'no limit',
        size: 'short',
        onChange: value => {
          this.limits = { ...this.limits, [key]: value };
          this.onLimits(this.limits);
          this.choose();
        },
      });
      control.value = limits[key];
      return control;
    };
    this.fields = {
      memory: field('memory', 'Peak memory at most, in GB'),
      time: field('time', 'Training time at most, in minutes'),
    };
    const limit = (key: keyof Limits, before: string, unit: string) =>
      h('span', { class: 'limit' }, before, this.fields[key].element, unit);
    this.element = h(
      'section',
      { class: 'block', 'aria-label': 'Choose for me' },
      h('h2', {}, 'Choose for me'),
      h(
        'div',
        { class: 'limits' },
        limit('memory', 'Under', 'GB of memory'),
        limit('time', 'and', 'minutes of training'),
      ),
      this.text,
      this.offers,
    );
  }

  show(entries: readonly EntryFigures[]): void {
    this.entries = entries;
    this.choose();
  }

  private choose(): void {
    const memory = limitOf(this.limits.memory);
    const time = limitOf(this.limits.time);
    this.fields.memory.invalid = memory === 'invalid';
    this.fields.time.invalid = time === 'invalid';
    if (memory === 'invalid' || time === 'invalid') {
      setText(this.text, 'A limit is a number, or empty.');
      return this.offer([]);
    }
    const limits: RaceLimits = { memoryBytes: memory && memory * 1e9, seconds: time && time * 60 };
    setText(this.text, choiceText(this.entries, limits));
    const choice = chooseEntry(this.entries, limits);
    this.offer(choice ? [choice.chosen, ...choice.asGood] : []);
  }

  /** The chosen entry, and those with fewer parameters that no difference was shown to. */
  private offer(entries: readonly EntryFigures[]): void {
    const key = JSON.stringify(entries.map(({ name }) => name));
    if (key === this.offered) return;
    this.offered = key;
    this.offers.replaceChildren(
      ...entries.map(({ name }, i) =>
        button({
          label: i === 0 ? 'Use This Method' : `Use ${name}`,
          secondary: i > 0,
          onClick: () => this.onUse(name),
        }),
      ),
    );
  }
}

/** null: none was typed. */
function limitOf(text: string): number | null | 'invalid' {
  if (text.trim() === '') return null;
  const value = Number(text.trim().replace(',', '.'));
  return Number.isFinite(value) && value > 0 ? value : 'invalid';
}
