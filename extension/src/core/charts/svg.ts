// The parts of charts as SVG: text, lines, round values for an axis, the colours of a chart that is a file of its own. Used by
// race/paretoChart.ts and exports/lossCurve.ts. Pure.
import { visibleControls } from '../harmlessText.js';

export const CHART_FONT_PX = 12;

/** Colours of a chart that is shown on its own, and not in a page with its own. @param chart class of the chart */
export function fileColours(chart: string): string {
  return `
    .${chart} { --ground: #ffffff; --text: #1f2328; --faint: #d0d7de; --mark: #0969da; --other: #59636e; }
    @media (prefers-color-scheme: dark) {
      .${chart} { --ground: #0d1117; --text: #f0f6fc; --faint: #3d444d; --mark: #4493f8; --other: #9198a1; }
    }
    .${chart} { font: ${CHART_FONT_PX}px system-ui, sans-serif; }`;
}

/** About five multiples of 1, 2 or 5 times a power of ten. */
export function roundValues(first: number, last: number): number[] {
  const rough = (last - first) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(factor => factor * power).find(candidate => candidate >= rough)!;
  const count = Math.floor(last / step) - Math.ceil(first / step) + 1;
  return Array.from({ length: count }, (_, i) => Number(((Math.ceil(first / step) + i) * step).toPrecision(12)));
}

/** Powers of ten; with 2 and 5 times each, if there are few. @param first logarithm, as `last` */
export function powers(first: number, last: number): number[] {
  const factors = last - first < 3 ? [1, 2, 5] : [1];
  const exponents = Array.from({ length: Math.ceil(last - first) + 2 }, (_, i) => Math.floor(first) + i);
  return exponents
    .flatMap(exponent => factors.map(factor => factor * 10 ** exponent))
    .filter(value => Math.log10(value) >= first && Math.log10(value) <= last);
}

export function text(x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end', kind?: string): string {
  return `<text${kind ? ` class="${kind}"` : ''} x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${escaped(content)}</text>`;
}

export function lineOf(kind: string, ends: readonly number[]): string {
  const [x1, y1, x2, y2] = ends.map(round);
  return `<line class="${kind}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`;
}

export function round(value: number): number {
  return Math.round(value * 10) / 10;
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

export function escaped(content: string): string {
  return visibleControls(content).replace(/[&<>"]/g, c => ENTITIES[c]!);
}
