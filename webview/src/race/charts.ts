// The Pareto charts of a race, as the report has them, in the colours of the page. A click on an entry opens its runs; the table offers
// the same to the keyboard.
import { CHART_RULES, paretoChart } from '../../../extension/src/core/race/paretoChart.js';
import { COSTS, type EntryFigures } from '../../../extension/src/core/race/raceFigures.js';
import { h } from '../shared/dom.js';

export class RaceCharts {
  readonly element = h('div', { class: 'race-charts' });
  private shown = '';

  /** @param onOpen with the name of an entry */
  constructor(private readonly onOpen: (entry: string) => void) {
    this.element.addEventListener('click', event => this.open(event));
    const rules = new CSSStyleSheet();
    rules.replaceSync(CHART_RULES);
    document.adoptedStyleSheets.push(rules);
  }

  show(entries: readonly EntryFigures[]): void {
    const charts = (['loss', 'score'] as const).flatMap(quality =>
      COSTS.flatMap(cost => paretoChart(entries, { quality, cost, standalone: false }) ?? []),
    );
    if (charts.join('') === this.shown) return;
    this.shown = charts.join('');
    this.element.replaceChildren(
      ...charts.map(text => {
        const { documentElement } = new DOMParser().parseFromString(text, 'image/svg+xml');
        return h('figure', {}, document.importNode(documentElement, true));
      }),
    );
  }

  /** At a click on the front between points: the nearest of them. */
  private open(event: MouseEvent): void {
    const target = event.target as Element;
    const entry =
      target.closest<SVGElement>('[data-entry]') ?? (target.matches('.front') ? nearest(event, target) : null);
    if (entry) this.onOpen(entry.dataset['entry']!);
  }
}

function nearest({ clientX, clientY }: MouseEvent, front: Element): SVGElement {
  const distance = (point: Element) => {
    const { x, y, width, height } = point.getBoundingClientRect();
    return Math.hypot(x + width / 2 - clientX, y + height / 2 - clientY);
  };
  const points = [...front.parentElement!.querySelectorAll<SVGElement>('.on-front')];
  const [first, ...others] = points.map(point => ({ point, far: distance(point.querySelector('.point')!) }));
  return others.reduce((best, each) => (each.far < best.far ? each : best), first!).point;
}
