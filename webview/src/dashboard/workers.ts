// The workers of a run on a cluster: where each is, and what it did in the latest step. Hidden for other runs.
import { workersText } from '../../../extension/src/core/runs/runState.js';
import { bytes, count } from '../../../extension/src/core/units.js';
import type { RunSnapshot } from '../../../extension/src/protocol/dashboardMessages.js';
import { h } from '../shared/dom.js';

export class WorkersView {
  readonly element = h('section', { class: 'block', 'aria-label': 'Workers', hidden: true });
  private shown = '';

  show({ workers, workerFigures: figures }: Pick<RunSnapshot, 'workers' | 'workerFigures'>): void {
    this.element.hidden = workers === null;
    const key = JSON.stringify([workers, figures]);
    if (workers === null || key === this.shown) return;
    this.shown = key;
    const hasGpus = figures?.some(({ gpu_bytes: gpu }) => gpu !== undefined) ?? false;
    const heading = (text: string) => h('th', { scope: 'col' }, text);
    const titles = ['Worker', 'Node', 'Device', 'Threads', 'Tokens/s', 'Memory', ...(hasGpus ? ['GPU memory'] : [])];
    this.element.replaceChildren(
      h('h2', {}, 'Workers'),
      h('p', { class: 'muted' }, workersText(workers)),
      h(
        'div',
        { class: 'scrolled', tabindex: 0, role: 'region', 'aria-label': 'Workers of the run' },
        h(
          'table',
          { class: 'results number' },
          h('thead', {}, h('tr', {}, ...titles.map(heading))),
          h(
            'tbody',
            {},
            ...workers.workers.map(({ rank, node, device, threads }) => {
              const own = figures?.[rank];
              const memory = (value: number | undefined) => (value === undefined ? '-' : bytes(value));
              const cells = [node, device, count(threads), own ? count(own.tokens_per_second) : '-'];
              const all = [...cells, memory(own?.rss_bytes), ...(hasGpus ? [memory(own?.gpu_bytes)] : [])];
              return h('tr', {}, h('th', { scope: 'row' }, String(rank)), ...all.map(text => h('td', {}, text)));
            }),
          ),
        ),
      ),
    );
  }
}
