// The page of the claims: complete with all results, silent about what isn't measured, and, as it is committed, what its results say.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { describe, expect, test } from 'vitest';
import * as svg from '../../../extension/src/core/charts/svg.js';
import { paretoChart } from '../../../extension/src/core/race/paretoChart.js';
import { proposedRate } from '../../../extension/src/core/runs/proposedRate.js';
import { peftMethods } from '../../../extension/src/engine/peft/registry.js';
import { claimsPage } from '../../claims/page.mjs';
import { lineChart } from '../../claims/lineChart.mjs';
import { measuredRates } from '../../claims/figures.mjs';
import { readResults } from '../../claims/results.mjs';
import { plan } from '../../claims/work.mjs';

const usualRates = Object.fromEntries(peftMethods.map(({ peftType, learningRate }) => [peftType, learningRate]));
const pageOf = (race: (id: string) => unknown, costs: (id: string) => unknown) =>
  claimsPage(plan(), { race, costs }, { paretoChart, svg, proposedRate, usualRates }, 'pictures') as {
    page: string;
    summary: string;
    pictures: Map<string, string>;
  };
const imagesOf = (page: string) => [...page.matchAll(/\]\(pictures\/(.*?\.svg)\)/g)].map(([, name]) => name!);
/** What a figure that is missing by mistake looks like. */
const HOLES = /undefined|NaN|\[object|\bnull\b|Infinity/;

/** Results of all runs of a race; the loss follows from the name. */
function allRuns(id: string) {
  const race = plan().races.find((each: any) => each.id === id);
  const runs = race.runs.flatMap(({ name, rate }: any) =>
    race.seeds.map((seed: number) => ({
      ...{
        name,
        seed,
        status: 'finished',
        parameters: name === 'full fine-tuning' ? 1e6 : 1000 * name.length,
        peakBytes: 5e8,
        score: 0.5,
        kl: 0.1,
        general: 1,
      },
      loss: 1 + (rate === null ? name.length / 100 : Math.abs(Math.log(rate / race.runs[1].rate))) + seed / 1000,
    })),
  );
  return { cpu: 'a CPU', base: { loss: 5, score: 0, general: 1 }, runs };
}
function allCosts(id: string) {
  const { costs } = plan().models.find((model: any) => model.id === id);
  const estimate = { weights: 1e7, gradients: 1e6, optimizer: 2e6, activations: 6e7, temporary: 3e7, total: 1.03e8 };
  const runs = costs.entries.flatMap(({ name }: any) =>
    Array.from({ length: costs.settings.rounds }, (_, i) => ({
      name,
      round: i + 1,
      parameters: 10,
      peakBytes: 6e8,
      cpuSeconds: 0.1,
      estimate,
    })),
  );
  return {
    ...costs,
    cpu: 'a CPU',
    estimate: { inferenceBytes: 1e7 },
    inference: Array(costs.settings.rounds).fill(4e8),
    runs,
  };
}

test('with all results, nothing is missing and each picture is there', () => {
  const { page, summary, pictures } = pageOf(allRuns, allCosts);
  expect(page).toContain('All of it has been measured.');
  expect(page).not.toMatch(HOLES);
  expect(summary).not.toMatch(HOLES);
  expect(summary).not.toContain('not measured yet');
  expect(imagesOf(page).toSorted()).toEqual([...pictures.keys()].toSorted());
  for (const { title } of plan().tasks) expect(page).toContain(title);
});

test('without results it says what is missing, and nothing else', () => {
  const { page, summary, pictures } = pageOf(
    () => null,
    () => null,
  );
  expect(page).not.toMatch(HOLES);
  expect(pictures.size).toBe(0);
  for (const { title, entries } of plan().models)
    expect(page).toMatch(
      new RegExp(`${title.replace(/[().]/g, '\\$&')}, code words: methods \\(${3 * entries.length}\\)`),
    );
  expect(summary.match(/not measured yet/g)).toHaveLength(12);
});

test('a race that has only begun gives no row but is counted', () => {
  const begun = (id: string) => {
    const all = allRuns(id);
    return id === 'embedded-codewords-methods'
      ? { ...all, runs: all.runs.slice(0, 4) }
      : id.endsWith('rates')
        ? all
        : null;
  };
  const { page } = pageOf(begun, () => null);
  expect(page).not.toMatch(HOLES);
  expect(page).toContain('the embedded model (1.75M), code words: methods (77)');
  expect(page.match(/^\| full fine-tuning /gm)).toHaveLength(1);
  expect(page).not.toMatch(/^\| LoRA all linear r=1 /m);
});

describe('as committed', () => {
  const race = (id: string) => readResults('media/claims/results', id);
  const figures = { race, costs: (id: string) => race(`${id}-costs`) };
  const committed = claimsPage(
    plan(),
    figures,
    { paretoChart, svg, proposedRate, usualRates },
    '../../../media/claims/pictures',
  ) as { page: string; summary: string; pictures: Map<string, string> };
  const formatted = async (text: string) => format(text, { ...(await resolveConfig('README.md')), parser: 'markdown' });
  const stale = 'stale: run npm run claims -- --report';

  test('the page is what the results say', async () =>
    expect(readFileSync('extension/docs/measurements/claims.md', 'utf8'), stale).toBe(await formatted(committed.page)));

  test('README’s table is, too', async () =>
    expect(readFileSync('README.md', 'utf8'), stale).toContain(await formatted(committed.summary)));

  test('so are the rates that the run panel proposes', () => {
    const rates = JSON.parse(readFileSync('extension/src/core/runs/measuredRates.json', 'utf8'));
    expect(rates, stale).toEqual(measuredRates(plan(), figures));
  });

  test('and the pictures are', () => {
    const folder = 'media/claims/pictures';
    const files = existsSync(folder) ? readdirSync(folder) : [];
    expect(files.toSorted(), stale).toEqual([...committed.pictures.keys()].toSorted());
    for (const [name, svg] of committed.pictures) expect(readFileSync(`${folder}/${name}`, 'utf8'), name).toBe(svg);
  });
});

describe('a chart of lines', () => {
  const point = (x: number, mean: number) => ({ x, mean, min: mean, max: mean });
  const chart = (points: ReturnType<typeof point>[], logY = false) =>
    lineChart({ title: 'a < b', xTitle: 'x', xText: String, series: [{ name: 'one', points }], logY }, svg);
  const circles = (svg: string | null) =>
    [...svg!.matchAll(/cx="(.*?)" cy="(.*?)"/g)].map(([, x, y]) => [Number(x), Number(y)]);

  test('has equal factors of x at equal distances, and higher values higher', () => {
    const [[x1, y1], [x2, y2], [x3, y3]] = circles(chart([point(4, 3), point(1, 1), point(2, 2)])) as any;
    expect(x2 - x1).toBeCloseTo(x3 - x2, 0);
    expect(y1 - y2).toBeCloseTo(y2 - y3, 0);
    expect(y1).toBeGreaterThan(y3);
  });
  test('may have factors of y at equal distances', () => {
    const [[, y1], [, y2], [, y3]] = circles(chart([point(1, 1), point(2, 10), point(4, 100)], true)) as any;
    expect(y1 - y2).toBeCloseTo(y2 - y3, 0);
  });
  test('escapes its texts', () => expect(chart([point(1, 1), point(2, 2)])).toContain('>a &lt; b</text>'));
  test('needs two values of x', () => expect(chart([point(1, 1)])).toBeNull());
});
