// How long the rows are: bars of equal width in tokens, and a line where max_length cuts. A picture with its meaning in words for
// screen readers. Draws what it is given; asks nobody.
import { count } from '../../../extension/src/core/units.js';
import type { PreviewSummary } from '../../../extension/src/protocol/datasetPreviewMessages.js';
import { h, svg } from '../shared/dom.js';

const width = 640;
const height = 92;
const baseline = height - 16;
const top = 14;

export function histogram(summary: PreviewSummary): HTMLElement {
  const { histogram: bins, maxLength, longest, median, countedRows, rows } = summary;
  const upTo = bins.at(-1)?.to ?? 1;
  const most = Math.max(1, ...bins.map(bin => bin.rows));
  const x = (tokens: number) => (tokens / upTo) * width;
  const bars = bins
    .filter(bin => bin.rows > 0)
    .map(bin => {
      // A single row among thousands still shows.
      const tall = Math.max(2, (bin.rows / most) * (baseline - top));
      const bar = svg('rect', {
        class: bin.from >= maxLength ? 'bar over' : 'bar',
        x: x(bin.from) + 0.5,
        y: baseline - tall,
        width: Math.max(1, x(bin.to) - x(bin.from) - 1),
        height: tall,
      });
      const range = bin.to - bin.from > 1 ? `${count(bin.from)} to ${count(bin.to - 1)}` : count(bin.from);
      bar.append(svg('title', {}, `${range} tokens: ${count(bin.rows)} rows`));
      return bar;
    });
  const limit = x(maxLength);
  const atEnd = limit > width / 2;
  const sampled = countedRows < rows ? `, of ${count(countedRows)} counted rows` : '';
  const meaning =
    `Lengths of the rows in tokens${sampled}: half of them up to ${count(median)}, the longest ${count(longest)}; ` +
    `max_length is ${count(maxLength)}.`;
  return h(
    'figure',
    { class: 'histogram' },
    svg(
      'svg',
      { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': meaning },
      svg('line', { class: 'axis', x1: 0, x2: width, y1: baseline + 0.5, y2: baseline + 0.5 }),
      ...bars,
      svg('line', { class: 'limit', x1: limit, x2: limit, y1: 2, y2: baseline }),
      svg(
        'text',
        { class: 'limit-label', x: limit + (atEnd ? -5 : 5), y: 10, 'text-anchor': atEnd ? 'end' : 'start' },
        `max_length ${count(maxLength)}`,
      ),
      svg('text', { class: 'scale', x: 0, y: height - 3 }, '0'),
      svg('text', { class: 'scale', x: width, y: height - 3, 'text-anchor': 'end' }, `${count(upTo)} tokens`),
    ),
    h('figcaption', { class: 'muted' }, `Median ${count(median)}, longest ${count(longest)} tokens${sampled}`),
  );
}
