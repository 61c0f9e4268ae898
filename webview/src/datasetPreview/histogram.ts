// A histogram of the rows' lengths in tokens, with a line at max_length and a description for screen readers. Stretches
// to the available width without scaling its labels. Requests nothing.
import { count } from '../../../extension/src/core/units.js';
import type { PreviewSummary } from '../../../extension/src/protocol/datasetPreviewMessages.js';
import { h, svg } from '../shared/dom.js';

/** In units of the viewBox, which is stretched to the available width. */
const WIDTH = 640;
const HEIGHT = 100;
const TOP = 20;

export function histogram(summary: PreviewSummary): HTMLElement {
  const { histogram: bins, maxLength, longest, median, countedRows, rows } = summary;
  const upTo = bins.at(-1)?.to ?? 1;
  const most = Math.max(1, ...bins.map(bin => bin.rows));
  const x = (tokens: number) => (tokens / upTo) * WIDTH;
  const bars = bins
    .filter(bin => bin.rows > 0)
    .map(bin => {
      // A single row among thousands stays visible.
      const tall = Math.max(2, (bin.rows / most) * (HEIGHT - TOP));
      const bar = svg('rect', {
        class: bin.from >= maxLength ? 'bar over' : 'bar',
        x: x(bin.from) + 0.5,
        y: HEIGHT - tall,
        width: Math.max(1, x(bin.to) - x(bin.from) - 1),
        height: tall,
      });
      const range = bin.to - bin.from > 1 ? `${count(bin.from)} to ${count(bin.to - 1)}` : count(bin.from);
      bar.append(svg('title', {}, `${range} tokens: ${count(bin.rows)} rows`));
      return bar;
    });
  const limit = x(maxLength);
  const label = h('span', { class: 'limit-label' }, `max_length ${count(maxLength)}`);
  const share = (100 * limit) / WIDTH;
  if (share > 50) label.style.right = `${100 - share}%`;
  else label.style.left = `${share}%`;
  const sampled = countedRows < rows ? `, of the ${count(countedRows)} rows counted` : '';
  const meaning =
    `Row lengths in tokens${sampled}: median ${count(median)}, longest ${count(longest)}; ` +
    `max_length is ${count(maxLength)}.`;
  return h(
    'figure',
    { class: 'histogram' },
    h(
      'div',
      { class: 'bars' },
      svg(
        'svg',
        { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': meaning },
        ...bars,
        svg('line', { class: 'limit', x1: limit, x2: limit, y1: 2, y2: HEIGHT }),
      ),
      label,
    ),
    h('div', { class: 'scale muted number' }, h('span', {}, '0'), h('span', {}, `${count(upTo)} tokens`)),
    h('figcaption', { class: 'muted' }, `Median ${count(median)}, longest ${count(longest)} tokens${sampled}`),
  );
}
