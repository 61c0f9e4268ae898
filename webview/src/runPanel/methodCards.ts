// The methods as cards, with the chosen method's summary below.
import { roughCount } from '../../../extension/src/core/units.js';
import type { MeasuredMethod } from '../../../extension/src/core/race/measuredMethods.js';
import type { EstimateAnswer } from '../../../extension/src/protocol/answers.js';
import { CardGroup } from '../shared/cardGroup.js';
import { h, setText } from '../shared/dom.js';
import type { MethodChoice } from './draft.js';

interface Figures {
  /** Trained parameters, estimated. */
  figure: HTMLElement;
  /** Validation loss, measured. */
  loss: HTMLElement;
}

export class MethodCards {
  readonly element: HTMLElement;
  private readonly group: CardGroup;
  private readonly figures: ReadonlyMap<string, Figures>;
  private readonly summary = h('p', { class: 'help', id: 'method-summary' });
  private readonly measuredText = h('p', { class: 'help measured', hidden: true });
  private measured: ReadonlyMap<string, MeasuredMethod> = new Map();

  constructor(
    private readonly methods: readonly MethodChoice[],
    onChoose: (peftType: string) => void,
  ) {
    const span = (name: string) => h('span', { class: `${name} muted number` });
    this.figures = new Map(
      methods.map(({ peftType }) => [peftType, { figure: span('card-figure'), loss: span('card-measured') }]),
    );
    const cards = methods.map(({ peftType, title }) => {
      const { figure, loss } = this.figures.get(peftType)!;
      return { key: peftType, title, content: [figure, loss] };
    });
    this.group = new CardGroup('Method', cards, peftType => {
      this.showChosen();
      onChoose(peftType);
    });
    this.element = h('div', { class: 'fields' }, this.group.element, this.summary, this.measuredText);
  }

  get value(): string {
    return this.group.value;
  }

  set value(peftType: string) {
    this.group.value = peftType;
    this.showChosen();
  }

  /** Shows trained parameters on each card; null removes them. */
  showEstimate(estimate: EstimateAnswer | null): void {
    const all = estimate ? [estimate.run, ...estimate.methods] : [];
    for (const [peftType, { figure }] of this.figures) {
      const own = all.find(each => each.peft_type === peftType);
      const reason = own && 'reason' in own ? own.reason : null;
      setText(
        figure,
        !own ? '' : 'reason' in own ? 'not for this model' : `${roughCount(own.trainable_parameters)} trained`,
      );
      this.group.note(peftType, reason ?? '');
    }
  }

  /** Shows on each card what races on this model and dataset have measured, and all of it of the chosen method. */
  showMeasured(measured: ReadonlyMap<string, MeasuredMethod>): void {
    this.measured = measured;
    for (const [peftType, { loss }] of this.figures) {
      const own = measured.get(peftType);
      setText(loss, own ? `loss ${own.loss}` : '');
      loss.title = own ? `Measured here: ${own.text}` : '';
    }
    this.showMeasuredText();
  }

  private showChosen(): void {
    setText(this.summary, this.methods.find(method => method.peftType === this.value)?.summary ?? '');
    this.showMeasuredText();
  }

  private showMeasuredText(): void {
    const own = this.measured.get(this.value);
    setText(this.measuredText, own ? `Measured here: ${own.text}` : '');
    this.measuredText.hidden = !own;
  }
}
