// A Pareto chart of a race as an SVG: each entry at its means over seeds, bars from its lowest to its highest value, a line through
// the entries that no other one beats. Pure: the report writes it to a file, the editor shows it in a page, where it takes the
// page's colours. Labels are placed so that none covers another one or a point.
import {
  CHART_FONT_PX as FONT_PX,
  escaped,
  fileColours,
  lineOf,
  powers,
  round,
  roundValues,
  text,
} from '../charts/svg.js';
import { duration, percent, roughCount } from '../units.js';
import { paretoFront, type Cost, type EntryFigures, type Quality, type Spread } from './raceFigures.js';
import { COST_TITLES, QUALITY_TEXT, QUALITY_TITLES } from './raceTable.js';

const WIDTH = 720;
const HEIGHT = 420;
const PLOT = { left: 76, right: 24, top: 44, bottom: 56 };
/** Widths of characters as shares of the font's size, rounded up: the reader's font isn't known. */
const LATIN_WIDTH = 0.62;
const WIDE_WIDTH = 1.05;
const POINT_RADIUS = 5;

/** Rules for both, in the colours of the file or of the page. */
export const CHART_RULES = `
    .race-chart .ground { fill: var(--ground); }
    .race-chart text {
      fill: var(--text); stroke: var(--ground); stroke-width: 3; stroke-linejoin: round; paint-order: stroke;
    }
    .race-chart .title { font-weight: 600; }
    .race-chart .grid { stroke: var(--faint); }
    .race-chart .front { stroke: var(--mark); stroke-width: 1.5; fill: none; }
    .race-chart .spread, .race-chart .leader { stroke: var(--other); }
    .race-chart .point { fill: var(--other); }
    .race-chart .on-front .point { fill: var(--mark); }
    .race-chart .on-front .spread { stroke: var(--mark); }`;

const COST_TEXT: Record<Cost, (value: number) => string> = {
  parameters: roughCount,
  // More digits than elsewhere, or ticks of nearly the same memory would have the same text.
  memoryBytes: value => (value < 1e9 ? `${fourDigits(value / 1e6)} MB` : `${fourDigits(value / 1e9)} GB`),
  seconds: value => (value < 120 ? `${Number(value.toPrecision(3))} s` : duration(value)),
};

function fourDigits(value: number): number {
  return Number(value.toPrecision(4));
}

/** Ticks are round values. */
const TICK_TEXT: Record<Quality, (value: number) => string> = { loss: String, score: percent };

export interface ChartOptions {
  quality: Quality;
  cost: Cost;
  /** With its colours, for a file of its own. */
  standalone: boolean;
}

/** null if no entry has both figures. */
export function paretoChart(
  entries: readonly EntryFigures[],
  { quality, cost, standalone }: ChartOptions,
): string | null {
  const shown = entries.flatMap(entry => {
    const [x, y] = [entry[cost], entry[quality]];
    return x && y ? [{ entry, x, y }] : [];
  });
  if (shown.length === 0) return null;
  const xAxis = axisOf(
    shown.map(({ x }) => x),
    cost === 'parameters',
    [PLOT.left, WIDTH - PLOT.right],
  );
  const yAxis = axisOf(
    shown.map(({ y }) => y),
    false,
    [HEIGHT - PLOT.bottom, PLOT.top],
  );
  const front = new Set(paretoFront(entries, quality, cost));
  const points = shown.map(({ entry, x, y }) => ({
    name: entry.name,
    isBest: front.has(entry),
    x: xAxis.place(x.mean),
    y: yAxis.place(y.mean),
    bars: [
      [xAxis.place(x.min), yAxis.place(y.mean), xAxis.place(x.max), yAxis.place(y.mean)],
      [xAxis.place(x.mean), yAxis.place(y.min), xAxis.place(x.mean), yAxis.place(y.max)],
    ],
  }));
  const line = points.filter(({ isBest }) => isBest).sort((a, b) => a.x - b.x);
  const lines = [
    ...line.slice(1).map(({ x, y }, i) => [line[i]!.x, line[i]!.y, x, y]),
    ...points.flatMap(({ bars }) => bars),
  ];
  const labels = placeLabels(points, lines);
  const title = `${QUALITY_TITLES[quality]} against ${COST_TITLES[cost].toLowerCase()}`;
  const better = quality === 'loss' ? 'lower is better' : 'higher is better';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="race-chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${escaped(title)}">`,
    ...(standalone
      ? [
          `  <style>${fileColours('race-chart')}${CHART_RULES}\n  </style>`,
          `  <rect class="ground" width="${WIDTH}" height="${HEIGHT}"/>`,
        ]
      : []),
    `  ${text(PLOT.left, 24, title, 'start', 'title')}`,
    ...xAxis.ticks.flatMap(value => {
      const x = xAxis.place(value);
      return [
        `  ${lineOf('grid', [x, PLOT.top, x, HEIGHT - PLOT.bottom])}`,
        `  ${text(x, HEIGHT - PLOT.bottom + 18, COST_TEXT[cost](value), 'middle')}`,
      ];
    }),
    ...yAxis.ticks.flatMap(value => {
      const y = yAxis.place(value);
      return [
        `  ${lineOf('grid', [PLOT.left, y, WIDTH - PLOT.right, y])}`,
        `  ${text(PLOT.left - 8, y + 4, TICK_TEXT[quality](value), 'end')}`,
      ];
    }),
    `  ${text((PLOT.left + WIDTH - PLOT.right) / 2, HEIGHT - 12, COST_TITLES[cost] + (xAxis.isLog ? ', logarithmic' : ''), 'middle')}`,
    `  ${text(WIDTH - PLOT.right, 24, better, 'end')}`,
    `  <polyline class="front" points="${line.map(({ x, y }) => `${round(x)},${round(y)}`).join(' ')}"/>`,
    ...points.flatMap(({ name, isBest, x, y, bars }, i) => [
      `  <g${isBest ? ' class="on-front"' : ''}${entryAttribute(name)}>`,
      `    <title>${escaped(`${name}: ${QUALITY_TEXT[quality](shown[i]!.y.mean)}, ${COST_TEXT[cost](shown[i]!.x.mean)}`)}</title>`,
      ...bars.filter(([x1, y1, x2, y2]) => x1 !== x2 || y1 !== y2).map(bar => `    ${lineOf('spread', bar)}`),
      `    <circle class="point" cx="${round(x)}" cy="${round(y)}" r="${POINT_RADIUS}"/>`,
      '  </g>',
    ]),
    ...labels.flatMap(({ label, box, leader }) => [
      `  <g${entryAttribute(label)}>`,
      ...(leader ? [`    ${lineOf('leader', leader)}`] : []),
      `    ${text(box.left, box.top + FONT_PX, label, 'start')}`,
      '  </g>',
    ]),
    '</svg>',
    '',
  ].join('\n');
}

/** Says in a page whose point or label was clicked. */
function entryAttribute(name: string): string {
  return ` data-entry="${escaped(name)}"`;
}

interface Axis {
  isLog: boolean;
  ticks: number[];
  place(value: number): number;
}

/** With some room at both ends. */
function axisOf(spreads: readonly Spread[], wantsLog: boolean, [from, to]: readonly [number, number]): Axis {
  const low = Math.min(...spreads.map(({ min }) => min));
  const high = Math.max(...spreads.map(({ max }) => max));
  const isLog = wantsLog && low > 0 && high / low >= 10;
  const scale = isLog ? Math.log10 : (value: number) => value;
  const room = (scale(high) - scale(low)) * 0.08 || Math.abs(scale(low)) * 0.1 || 1;
  const [first, last] = [scale(low) - room, scale(high) + room];
  return {
    isLog,
    ticks: isLog ? powers(first, last) : roundValues(first, last).filter(value => low < 0 || value >= 0),
    place: value => from + ((scale(value) - first) / (last - first)) * (to - from),
  };
}

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

interface PlacedLabel {
  label: string;
  box: Box;
  /** From the point to the label, if it is further away. */
  leader: number[] | null;
}

/** Distances of a label from its point, in pixels; from the second on, a line connects them. */
const DISTANCES = [8, 24, 44, 68, 96, 130, 170, 220];
/** Right, left, above, below, and between them. */
const DIRECTIONS = [0, 180, 270, 90, 315, 45, 225, 135, 292.5, 247.5, 67.5, 112.5, 337.5, 22.5, 202.5, 157.5].map(
  degrees => (degrees * Math.PI) / 180,
);

/**
 * Each label at the first place where it covers neither a point nor another label and no line, or else only a line. Those without
 * such a place are left out.
 * @param lines ends of lines: x and y, twice
 */
export function placeLabels(
  points: readonly { name: string; x: number; y: number }[],
  lines: readonly (readonly number[])[],
): PlacedLabel[] {
  const taken: Box[] = points.map(({ x, y }) => around(x, y));
  const placed: PlacedLabel[] = [];
  for (const { name, x, y } of points) {
    const free = candidates(name, x, y).filter(
      ({ box }) => isInside(box) && !taken.some(other => overlaps(box, other)),
    );
    const isClear = ({ box, leader }: Omit<PlacedLabel, 'label'>) =>
      !lines.some(line => crosses(line, box)) &&
      !placed.some(other => (leader && crosses(leader, other.box)) || (other.leader && crosses(other.leader, box)));
    const found = free.find(isClear) ?? free[0];
    if (!found) continue;
    taken.push(found.box);
    placed.push({ label: name, ...found });
  }
  return placed;
}

function candidates(name: string, x: number, y: number): Omit<PlacedLabel, 'label'>[] {
  const [width, height] = [textWidth(name), FONT_PX * 1.3];
  return DISTANCES.flatMap((distance, ring) =>
    DIRECTIONS.map(angle => {
      const [dx, dy] = [Math.cos(angle), Math.sin(angle)];
      const [atX, atY] = [x + dx * distance, y + dy * distance];
      const box = { left: atX - (width * (1 - dx)) / 2, top: atY - (height * (1 - dy)) / 2, width, height };
      return { box, leader: ring === 0 ? null : [x + dx * POINT_RADIUS, y + dy * POINT_RADIUS, atX, atY] };
    }),
  );
}

function around(x: number, y: number): Box {
  const size = 2 * (POINT_RADIUS + 1);
  return { left: x - size / 2, top: y - size / 2, width: size, height: size };
}

export function overlaps(a: Box, b: Box): boolean {
  return a.left < b.left + b.width && b.left < a.left + a.width && a.top < b.top + b.height && b.top < a.top + a.height;
}

/** Whether a part of the line is within the box: it is cut at the box's sides, one after the other. */
export function crosses([x1, y1, x2, y2]: readonly number[], { left, top, width, height }: Box): boolean {
  const sides = [
    [x2! - x1!, left - x1!, left + width - x1!],
    [y2! - y1!, top - y1!, top + height - y1!],
  ] as const;
  let [from, to] = [0, 1];
  for (const [along, low, high] of sides) {
    if (along === 0 && (low > 0 || high < 0)) return false;
    if (along === 0) continue;
    from = Math.max(from, Math.min(low / along, high / along));
    to = Math.min(to, Math.max(low / along, high / along));
  }
  return from <= to;
}

function isInside({ left, top, width, height }: Box): boolean {
  return left >= PLOT.left && left + width <= WIDTH && top >= PLOT.top - 8 && top + height <= HEIGHT - PLOT.bottom;
}

function textWidth(label: string): number {
  return [...label].reduce((sum, c) => sum + FONT_PX * (c > '\u02ff' ? WIDE_WIDTH : LATIN_WIDTH), 0);
}
