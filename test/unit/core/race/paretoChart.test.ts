// The chart of a race: what is in it, and that no label covers another one, a point or a line.
import { describe, expect, it } from 'vitest';
import {
  crosses,
  overlaps,
  paretoChart,
  placeLabels,
  type Box,
} from '../../../../extension/src/core/race/paretoChart.js';
import { entryFigures, type RunFigures } from '../../../../extension/src/core/race/raceFigures.js';
import { finishedRun, unfinishedRun } from '../../../support/raceRuns.js';

const LOSS = { quality: 'loss', cost: 'parameters', standalone: true } as const;
const chart = (runs: readonly RunFigures[], options = {}) => paretoChart(entryFigures(runs), { ...LOSS, ...options });

/** As methods and ranks often are: costs far apart, losses close together. */
const RUNS = [0.35, 1.01, 1.0, 0.99, 0.98, 0.98].flatMap((loss, i) =>
  [1, 2].map(seed =>
    finishedRun(`LORA r=${2 ** i}`, seed, {
      validation_loss: loss + seed / 100,
      trainable_parameters: 1000 * 4 ** i,
      peak_rss_bytes: 600e6 + i * 1e6,
    }),
  ),
);

describe('a chart', () => {
  it('has a point and a label for each entry with both figures, and the entries on the front as such', () => {
    const runs = [...RUNS, unfinishedRun('not yet', 1)];
    const svg = chart(runs)!;
    expect(svg.match(/<circle/g)).toHaveLength(6);
    expect(svg).not.toContain('not yet');
    expect(svg.match(/class="on-front"/g)).toHaveLength(1);
    for (let i = 0; i < 6; i++) expect(svg).toContain(`>LORA r=${2 ** i}</text>`);
    expect(svg).toContain('Validation loss against trained parameters');
    expect(svg).toContain('Trained parameters, logarithmic');
    expect(svg).toContain('lower is better');
  });

  it('has bars over seeds, none for a single one', () => {
    expect(chart(RUNS)!.match(/class="spread"/g)).toHaveLength(6);
    expect(chart([finishedRun('a', 1)])).not.toContain('class="spread"');
  });

  it('is well-formed whatever the figures are', () => {
    for (const runs of [
      [finishedRun('one', 1)],
      [finishedRun('a', 1), finishedRun('b', 1)],
      [finishedRun('zero', 1, { validation_loss: 0, train_seconds: 0 })],
      [finishedRun('a', 1, { validation_loss: 1e-9 }), finishedRun('b', 1, { validation_loss: 1e9 })],
    ])
      for (const cost of ['parameters', 'memoryBytes', 'seconds'] as const) {
        const svg = chart(runs, { cost })!;
        expect(svg, `${runs[0]!.name} ${cost}`).not.toMatch(/NaN|Infinity|undefined/);
        expect(svg.match(/<g[ >]/g)?.length).toBe(svg.match(/<\/g>/g)?.length);
        expect(svg.match(/class="grid"/g)!.length, `${runs[0]!.name} ${cost}`).toBeGreaterThan(2);
      }
  });

  it('is in colours for light and dark on its own, and in those of its page within one', () => {
    expect(chart(RUNS)).toContain('prefers-color-scheme: dark');
    const inPage = chart(RUNS, { standalone: false })!;
    expect(inPage).not.toMatch(/<style|#[0-9a-f]{6}|style=/);
    expect(inPage).toContain('class="race-chart"');
  });

  it('shows names as text', () => {
    const svg = chart([finishedRun('<script>"&\u0007', 1)])!;
    expect(svg).toContain('&lt;script&gt;&quot;&amp;\\x07');
    expect(svg).not.toContain('<script');
    expect(svg).not.toContain('\u0007');
  });

  it('is absent without figures', () => {
    expect(chart([unfinishedRun('a', 1)])).toBeNull();
    expect(chart(RUNS, { quality: 'score' })).toBeNull();
    const scored = RUNS.map(run => ({ ...run, score: 0.25 }));
    expect(chart(scored, { quality: 'score' })).toContain('higher is better');
  });
});

describe('labels', () => {
  const LAYOUTS = {
    'in a row': Array.from({ length: 8 }, (_, i) => ({ name: `method ${i}`, x: 120 + 70 * i, y: 300 })),
    'close together': Array.from({ length: 9 }, (_, i) => ({
      name: `LORA r=${2 ** i}`,
      x: 400 + 5 * (i % 3),
      y: 200 + 4 * i,
    })),
    'at the edges': [
      { name: 'a long name at the right', x: 690, y: 60 },
      { name: 'a long name at the left', x: 80, y: 350 },
      { name: '長い名前の方法', x: 690, y: 355 },
    ],
  };

  it.each(Object.entries(LAYOUTS))('%s cover neither each other nor points', (_, points) => {
    const labels = placeLabels(points, []);
    expect(labels.map(({ label }) => label).sort()).toEqual(points.map(({ name }) => name).sort());
    for (const [i, { box, label }] of labels.entries()) {
      for (const other of labels.slice(i + 1)) expect(overlaps(box, other.box), `${label}, ${other.label}`).toBe(false);
      for (const { x, y } of points) expect(contains(box, x, y), label).toBe(false);
      expect(box.left + box.width, label).toBeLessThanOrEqual(720);
    }
  });

  it('avoid lines', () => {
    const points = LAYOUTS['in a row'];
    const line = [0, 300, 720, 300];
    for (const { box, label } of placeLabels(points, [line])) expect(crosses(line, box), label).toBe(false);
    expect(placeLabels(points, []).some(({ box }) => crosses(line, box))).toBe(true);
  });

  it('without room are left out', () => {
    const crowd = Array.from({ length: 400 }, (_, i) => ({ name: `entry ${i}`, x: 400 + (i % 20), y: 200 + i / 20 }));
    const { length } = placeLabels(crowd, []);
    expect(length).toBeGreaterThan(5);
    expect(length).toBeLessThan(400);
  });
});

it('a line crosses a box if a part of it is within', () => {
  const box = { left: 10, top: 10, width: 10, height: 10 };
  for (const line of [
    [0, 15, 30, 15],
    [15, 0, 15, 30],
    [0, 0, 30, 30],
    [12, 12, 13, 13],
    [15, 15, 99, 99],
  ])
    expect(crosses(line, box), line.join()).toBe(true);
  for (const line of [
    [0, 5, 30, 5],
    [5, 0, 5, 30],
    [0, 18, 18, 0.5 - 18],
    [21, 0, 30, 30],
    [0, 15, 9, 15],
  ])
    expect(crosses(line, box), line.join()).toBe(false);
});

function contains({ left, top, width, height }: Box, x: number, y: number): boolean {
  return x > left && x < left + width && y > top && y < top + height;
}
