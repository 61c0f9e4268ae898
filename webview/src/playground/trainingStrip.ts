// Runs that learn from corrections: their progress, and the new adapter when they are done.
import type { PlaygroundSnapshot, Training } from '../../../extension/src/protocol/playgroundMessages.js';
import { h, icon, setText } from '../shared/dom.js';
import { ProgressBar } from '../shared/progressBar.js';
import { button } from '../shared/toolkit.js';
import type { PlaygroundHost } from './commands.js';

const ICONS: Record<Training['phase'], string> = {
  alive: 'sync codicon-modifier-spin',
  done: 'pass',
  failed: 'error',
};

export class TrainingStrip {
  readonly element = h('div', { class: 'trainings' });
  private readonly shown = new Map<string, { element: HTMLElement; show(training: Training): void }>();

  constructor(private readonly host: PlaygroundHost) {}

  show({ trainings, conversation }: PlaygroundSnapshot): void {
    for (const [folder, { element }] of this.shown) {
      if (trainings.some(training => training.folder === folder)) continue;
      element.remove();
      this.shown.delete(folder);
    }
    for (const training of trainings) {
      const nameOf = (id: string) => conversation.columns.find(each => each.id === id)?.name;
      const known = this.shown.get(training.folder) ?? this.strip(training, nameOf(training.column));
      if (!known.element.isConnected) this.element.append(known.element);
      this.shown.set(training.folder, known);
      known.show(training);
    }
  }

  private strip({ folder, name }: Training, column: string | undefined) {
    const carryOut = (command: 'stopTraining' | 'openRun' | 'showTrained' | 'dismissTraining') => () =>
      void this.host.carryOut({ do: command, folder });
    const glyph = h('span');
    const text = h('span', { class: 'training-text', role: 'status' });
    const progress = new ProgressBar(`Progress of ${name}`);
    const beside = button({
      label: column === undefined ? 'Show' : `Show beside ${column}`,
      icon: 'split-horizontal',
      onClick: carryOut('showTrained'),
    });
    const stop = button({
      label: `Stop ${name}`,
      icon: 'debug-stop',
      iconOnly: true,
      onClick: carryOut('stopTraining'),
    });
    const dashboard = button({
      label: 'Open Dashboard',
      icon: 'graph-line',
      iconOnly: true,
      onClick: carryOut('openRun'),
    });
    const dismiss = button({
      label: `Dismiss ${name}`,
      icon: 'close',
      iconOnly: true,
      onClick: carryOut('dismissTraining'),
    });
    const element = h(
      'div',
      { class: 'training', role: 'group', 'aria-label': name },
      h(
        'div',
        { class: 'training-line' },
        glyph,
        h('b', {}, name),
        text,
        h('span', { class: 'push' }, beside, stop, dashboard, dismiss),
      ),
      progress.element,
    );
    let phase = '';
    return {
      element,
      show: (training: Training) => {
        setText(text, training.text);
        progress.showShare(training.share);
        if (phase === training.phase) return;
        phase = training.phase;
        element.dataset['phase'] = phase;
        glyph.replaceChildren(icon(ICONS[training.phase]));
        progress.hidden = phase !== 'alive';
        beside.hidden = phase !== 'done';
        stop.hidden = phase !== 'alive';
        dismiss.hidden = phase === 'alive';
      },
    };
  }
}
