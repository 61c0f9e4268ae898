// The losses of a run as an SVG file: of its steps, and of its evaluations. For the model card of a push. Pure.
import { fileColours, lineOf, round, roundValues, text } from '../charts/svg.js';
import { decimate } from '../metrics/decimation.js';
import type { RunState } from '../runs/runState.js';

const WIDTH = 720;
const HEIGHT = 300;
const PLOT = { left: 56, right: 24, top: 44, bottom: 44 };
/** Enough for the width in pixels. */
const BUCKETS = 300;
const POINT_RADIUS = 4;

interface Point {
  step: number;
  loss: number;
}

/** null if the run has no finite losses of two steps. */
export function lossCurve({ steps, evaluations }: Pick<RunState, 'steps' | 'evaluations'>): string | null {
  const pointsOf = (step: Float64Array, loss: Float64Array): Point[] =>
    [...decimate(loss, 0, loss.length, BUCKETS)]
      .map(i => ({ step: step[i]!, loss: loss[i]! }))
      .filter(point => Number.isFinite(point.loss));
  const trained = pointsOf(steps.column('step'), steps.column('loss'));
  const validated = pointsOf(evaluations.column('step'), evaluations.column('loss'));
  const all = [...trained, ...validated];
  if (trained.length < 2) return null;
  const x = axis(
    all.map(({ step }) => step),
    [PLOT.left, WIDTH - PLOT.right],
  );
  const y = axis(
    all.map(({ loss }) => loss),
    [HEIGHT - PLOT.bottom, PLOT.top],
  );
  const lineThrough = (kind: string, points: readonly Point[]) =>
    `  <polyline class="${kind}" points="${points.map(({ step, loss }) => `${round(x.place(step))},${round(y.place(loss))}`).join(' ')}"/>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="loss-curve" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="Loss by step">`,
    `  <style>${fileColours('loss-curve')}${RULES}\n  </style>`,
    `  <rect class="ground" width="${WIDTH}" height="${HEIGHT}"/>`,
    `  ${text(PLOT.left, 24, 'Training loss', 'start', 'train')}`,
    ...(validated.length > 0 ? [`  ${text(PLOT.left + 110, 24, 'Validation loss', 'start', 'validation')}`] : []),
    ...x.ticks.map(step => `  ${text(x.place(step), HEIGHT - PLOT.bottom + 18, String(step), 'middle')}`),
    ...y.ticks.flatMap(loss => [
      `  ${lineOf('grid', [PLOT.left, y.place(loss), WIDTH - PLOT.right, y.place(loss)])}`,
      `  ${text(PLOT.left - 8, y.place(loss) + 4, String(loss), 'end')}`,
    ]),
    `  ${text((PLOT.left + WIDTH - PLOT.right) / 2, HEIGHT - 8, 'Step', 'middle')}`,
    lineThrough('train-line', trained),
    ...(validated.length > 1 ? [lineThrough('validation-line', validated)] : []),
    ...validated.map(
      ({ step, loss }) =>
        `  <circle class="validation" cx="${round(x.place(step))}" cy="${round(y.place(loss))}" r="${POINT_RADIUS}"/>`,
    ),
    '</svg>',
    '',
  ].join('\n');
}

const RULES = `
    .loss-curve .ground { fill: var(--ground); }
    .loss-curve text { fill: var(--text); }
    .loss-curve .train { fill: var(--other); font-weight: 600; }
    .loss-curve .validation { fill: var(--mark); font-weight: 600; }
    .loss-curve .grid { stroke: var(--faint); }
    .loss-curve .train-line { stroke: var(--other); stroke-width: 1.2; fill: none; }
    .loss-curve .validation-line { stroke: var(--mark); stroke-width: 1.8; fill: none; }`;

function axis(values: readonly number[], [from, to]: readonly [number, number]) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low) * 0.04 || Math.abs(high) * 0.1 || 1;
  const [first, last] = [low - room, high + room];
  return {
    ticks: roundValues(first, last).filter(value => low < 0 || value >= 0),
    place: (value: number) => from + ((value - first) / (last - first)) * (to - from),
  };
}
