// The table of a race: an entry a row, with the spread over its seeds, its runs to open, and its options to use.
import type { EntryFigures, RunFigures } from '../../../extension/src/core/race/raceFigures.js';
import { raceTable, rangeText, spreadText } from '../../../extension/src/core/race/raceTable.js';
import { h, icon } from '../shared/dom.js';
import { button } from '../shared/toolkit.js';

export interface RaceTableOptions {
  onOpen(runs: readonly RunFigures[]): void;
  /** With the name of an entry. */
  onUse(entry: string): void;
}

const STATUS_ICONS: Record<RunFigures['status'], string> = {
  waiting: 'circle-large-outline',
  running: 'sync codicon-modifier-spin',
  interrupted: 'debug-disconnect',
  finished: 'pass',
  failed: 'error',
};

export class RaceTableView {
  readonly element = h('div', { class: 'scrolled' });
  private shown = '';

  constructor(private readonly options: RaceTableOptions) {}

  show(entries: readonly EntryFigures[]): void {
    const { heading, figures, rows } = raceTable(entries, spreadText);
    const ranges = raceTable(entries, rangeText).rows;
    const runs = entries.map(entry => entry.runs.map(({ seed, status }) => [seed, status]));
    const key = JSON.stringify([heading, ranges, runs]);
    if (key === this.shown) return;
    this.shown = key;
    const kind = (column: number) => (figures.includes(column) ? 'figure number' : '');
    const seeds = heading.length - 2;
    this.element.replaceChildren(
      h(
        'table',
        {},
        h(
          'thead',
          {},
          h('tr', {}, ...heading.map((title, i) => h('th', { scope: 'col', class: kind(i) }, title)), h('td', {})),
        ),
        h(
          'tbody',
          {},
          ...rows.map((cells, row) => {
            const entry = entries[row]!;
            return h(
              'tr',
              {},
              h('th', { scope: 'row' }, this.link(entry.name, `Open the runs of ${entry.name}`, entry.runs)),
              ...cells
                .slice(1)
                .map((cell, i) =>
                  i + 1 === seeds
                    ? h('td', {}, ...entry.runs.map(run => this.seed(run)))
                    : h('td', { class: kind(i + 1), title: ranges[row]![i + 1]! }, cell),
                ),
              h(
                'td',
                {},
                button({
                  label: `Use This Method: ${entry.name}`,
                  icon: 'settings',
                  iconOnly: true,
                  onClick: () => this.options.onUse(entry.name),
                }),
              ),
            );
          }),
        ),
      ),
    );
  }

  private seed(run: RunFigures): HTMLElement {
    const label = `Open the run of ${run.name} with seed ${run.seed}: ${run.status}`;
    return h(
      'span',
      { class: 'seed', 'data-status': run.status },
      icon(STATUS_ICONS[run.status]),
      this.link(String(run.seed), label, [run]),
    );
  }

  /** Text while there is nothing to open. */
  private link(text: string, label: string, runs: readonly RunFigures[]): HTMLElement {
    if (runs.every(({ status }) => status === 'waiting')) return h('span', {}, text);
    return h('button', { class: 'link', title: label, onclick: () => this.options.onOpen(runs) }, text);
  }
}
