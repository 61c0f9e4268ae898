// A bar that says how far something is, to screen readers too.
import { h } from './dom.js';

export class ProgressBar {
  private readonly bar = h('span');
  readonly element: HTMLElement;

  /** @param label what is under way */
  constructor(label: string) {
    this.element = h(
      'div',
      { class: 'progress', role: 'progressbar', 'aria-label': label, 'aria-valuemin': 0, 'aria-valuemax': 100 },
      this.bar,
    );
  }

  set hidden(value: boolean) {
    this.element.hidden = value;
  }

  /** @param total 0: nothing is known yet */
  show(done: number, total: number): void {
    this.element.setAttribute('aria-valuemax', String(total));
    this.element.setAttribute('aria-valuenow', String(done));
    this.bar.style.width = `${total > 0 ? (100 * done) / total : 0}%`;
  }

  /** @param share 0 to 1 */
  showShare(share: number): void {
    this.show(Math.round(100 * share), 100);
  }
}
