// The head of a column: its name, the strength of its adapters, and what can be done with it.
import type { Column, PlaygroundSnapshot } from '../../../extension/src/protocol/playgroundMessages.js';
import { h, icon, setText } from '../shared/dom.js';
import { button } from '../shared/toolkit.js';
import type { PlaygroundHost } from './commands.js';

export class ColumnHead {
  readonly element = h('div', { class: 'column-head' });
  private readonly name = h('h2');
  private readonly about = h('span', { class: 'muted' });
  private readonly strengths = h('div', { class: 'strengths' });
  private readonly train: HTMLElement;
  private readonly remove: HTMLElement;
  private strengthsFor = '';

  constructor(
    private readonly host: PlaygroundHost,
    private readonly column: Column,
  ) {
    const { id, name } = column;
    this.train = button({
      label: `Train ${name} on Corrections`,
      icon: 'mortar-board',
      iconOnly: true,
      onClick: () => void host.carryOut({ do: 'train', column: id }),
    });
    this.remove = button({
      label: `Remove ${name}`,
      icon: 'close',
      iconOnly: true,
      onClick: () => void host.carryOut({ do: 'removeColumn', column: id }),
    });
    const glyph = column.parts.length > 1 ? 'layers' : column.parts.length === 1 ? 'extensions' : 'symbol-method';
    this.element.append(
      h(
        'div',
        { class: 'column-title' },
        icon(glyph),
        this.name,
        this.about,
        h('span', { class: 'push' }, this.train, this.remove),
      ),
      this.strengths,
    );
  }

  show(column: Column, { adapters, conversation, trusted, datasets }: PlaygroundSnapshot): void {
    setText(this.name, column.name);
    this.element.title = column.parts.map(({ path }) => path).join('\n') || (column.model ?? conversation.model);
    const facts = column.parts.map(({ path }) => adapters[path]);
    setText(this.about, [...new Set(facts.flatMap(each => (each ? [each.peft_type] : [])))].join(', '));
    this.remove.hidden = conversation.columns.length === 1;
    this.train.hidden = !trusted || column.parts.length > 1 || datasets.conversation === null;
    // Sliders keep what the user is dragging; they are made anew only for other adapters.
    const scalable = column.parts.filter((_, index) => facts[index]?.scalable);
    const key = JSON.stringify([conversation.id, scalable.map(({ path }) => path)]);
    if (key === this.strengthsFor) return;
    this.strengthsFor = key;
    this.strengths.replaceChildren(
      ...scalable.map(({ name, path, weight }) => this.slider(name, path, weight, column.parts.length > 1)),
    );
  }

  private slider(name: string, path: string, weight: number, isMixture: boolean): HTMLElement {
    const value = h('output', { class: 'number' }, weight.toFixed(2));
    const input = h('input', {
      type: 'range',
      min: 0,
      max: 2,
      step: 0.05,
      value: weight,
      'aria-label': `Strength of ${name}`,
      oninput: () => {
        setText(value, Number(input.value).toFixed(2));
        void this.host.carryOut({ do: 'setWeight', column: this.column.id, path, weight: Number(input.value) });
      },
    });
    return h(
      'label',
      { class: 'strength', title: '0: the base; 1: as trained; up to 2' },
      h('span', { class: 'muted' }, isMixture ? name : 'Strength'),
      input,
      value,
    );
  }
}
