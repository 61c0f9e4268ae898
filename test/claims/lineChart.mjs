// A chart of lines as an SVG, in the style of core/race/paretoChart.ts: x logarithmic, bars from the lowest to the highest value over
// seeds. Pure; text in, text out.

const WIDTH = 720;
const HEIGHT = 400;
const PLOT = { left: 72, right: 24, top: 72, bottom: 56 };
const LEGEND_STEP = 20;

const STYLE = `
    svg { --ground: #ffffff; --text: #1f2328; --faint: #d0d7de; --c0: #0969da; --c1: #bc4c00; --c2: #1a7f37; --c3: #8250df; }
    @media (prefers-color-scheme: dark) {
      svg { --ground: #0d1117; --text: #f0f6fc; --faint: #3d444d; --c0: #4493f8; --c1: #f0883e; --c2: #3fb950; --c3: #ab7df8; }
    }
    svg { font: 12px system-ui, sans-serif; }
    .ground { fill: var(--ground); }
    text { fill: var(--text); }
    .title { font-weight: 600; }
    .grid { stroke: var(--faint); }
    .line { fill: none; stroke-width: 1.5; }`;
const DASHES = ['none', '6 3', '2 3', '8 3 2 3'];

/**
 * @param {object} chart
 * @param {string} chart.title
 * @param {string} chart.xTitle
 * @param {(x: number) => string} chart.xText
 * @param {{ name: string, points: { x: number, mean: number, min: number, max: number }[] }[]} chart.series at most four
 * @param {boolean} [chart.logY] both axes logarithmic
 * @param {typeof import('../../extension/src/core/charts/svg.js')} svg
 * @returns {string | null} null without two values of x
 */
export function lineChart({ title, xTitle, xText, series, logY = false }, { escaped, powers, round, roundValues }) {
  const points = series.flatMap(each => each.points);
  const xs = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
  if (xs.length < 2) return null;
  const [low, high] = [Math.min(...points.map(({ min }) => min)), Math.max(...points.map(({ max }) => max))];
  const scale = logY ? Math.log10 : value => value;
  const room = (scale(high) - scale(low) || 1) * 0.06;
  const [from, to] = [scale(low) - room, scale(high) + room];
  const placeX = x =>
    PLOT.left + 16 + (Math.log(x / xs[0]) / Math.log(xs.at(-1) / xs[0])) * (WIDTH - PLOT.left - PLOT.right - 32);
  const placeY = value =>
    HEIGHT - PLOT.bottom - ((scale(value) - from) / (to - from)) * (HEIGHT - PLOT.top - PLOT.bottom);
  const ticks = logY ? powers(from, to) : roundValues(from, to);
  const text = (x, y, content, anchor, kind = '') =>
    `  <text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}"${kind && ` class="${kind}"`}>${escaped(content)}</text>`;
  const line = (x1, y1, x2, y2, rest) =>
    `  <line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" ${rest}/>`;
  let legendX = PLOT.left;
  const drawn = series.flatMap(({ name, points: own }, i) => {
    const stroke = `stroke="var(--c${i})" stroke-dasharray="${DASHES[i]}"`;
    const sorted = own.toSorted((a, b) => a.x - b.x);
    const at = sorted.map(({ x, mean }) => `${round(placeX(x))},${round(placeY(mean))}`).join(' ');
    const legend = [line(legendX, 44, legendX + 24, 44, stroke), text(legendX + 30, 48, name, 'start')];
    legendX += 30 + name.length * 7 + LEGEND_STEP;
    return [
      ...legend,
      `  <polyline class="line" ${stroke} points="${at}"/>`,
      ...sorted.flatMap(({ x, mean, min, max }) => [
        ...(min === max ? [] : [line(placeX(x), placeY(min), placeX(x), placeY(max), `stroke="var(--c${i})"`)]),
        `  <circle fill="var(--c${i})" cx="${round(placeX(x))}" cy="${round(placeY(mean))}" r="3.5"/>`,
      ]),
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${escaped(title)}">`,
    `  <style>${STYLE}\n  </style>`,
    `  <rect class="ground" width="${WIDTH}" height="${HEIGHT}"/>`,
    text(PLOT.left, 24, title, 'start', 'title'),
    ...xs.map(x => text(placeX(x), HEIGHT - PLOT.bottom + 18, xText(x), 'middle')),
    ...ticks.flatMap(value => [
      line(PLOT.left, placeY(value), WIDTH - PLOT.right, placeY(value), 'class="grid"'),
      text(PLOT.left - 8, placeY(value) + 4, String(value), 'end'),
    ]),
    text((PLOT.left + WIDTH - PLOT.right) / 2, HEIGHT - 14, xTitle, 'middle'),
    ...drawn,
    '</svg>',
    '',
  ].join('\n');
}
