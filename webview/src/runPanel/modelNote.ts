// A note that the model is not on this machine yet, with a button that pulls it. Part of the run panel.
import { h, icon, setText } from '../shared/dom.js';
import { button } from '../shared/toolkit.js';

export class ModelNote {
  private readonly text = h('span');
  private model = '';
  private readonly pull = button({
    label: 'Pull Model',
    icon: 'cloud-download',
    secondary: true,
    onClick: () => void this.start(),
  });
  readonly element = h(
    'div',
    { class: 'note', role: 'status', hidden: true },
    h('p', {}, icon('info'), ' ', this.text),
    this.pull,
  );

  /** @param onPull resolves when the pull has ended */
  constructor(private readonly onPull: (model: string) => Promise<void>) {}

  /** @param model null hides it */
  show(message: string, model: string | null): void {
    this.element.hidden = model === null;
    this.model = model ?? '';
    setText(this.text, message);
  }

  private async start(): Promise<void> {
    this.pull.disabled = true;
    try {
      await this.onPull(this.model);
    } finally {
      this.pull.disabled = false;
    }
  }
}
