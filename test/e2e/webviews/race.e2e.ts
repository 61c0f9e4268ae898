// A race's tab on a plain page: every state of a race, what its charts and table offer, the choice, in all themes.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { expandRace } from '../../../extension/src/core/race/expandRace.js';
import { raceConfigSchema } from '../../../extension/src/protocol/raceConfig.js';
import type { FolderFigures, RaceSnapshot } from '../../../extension/src/protocol/raceMessages.js';
import { finishedRun, unfinishedRun } from '../../support/raceRuns.js';
import type { Fake } from './page/fakeHost.js';
import { expectAccessible } from './accessibility.js';
import { root, screenshotPath, themes, WebviewBrowser, type OpenOptions } from './harness.js';

declare global {
  interface Window {
    fake: Fake;
  }
}

const RACE = JSON.parse(readFileSync(join(root, 'media/examples/methods.race.json'), 'utf8')) as {
  run: Record<string, unknown>;
  vary: object[];
};
const ENTRIES = expandRace(raceConfigSchema.parse(RACE), RACE.run, 'methods.race.json');

/** By entry: trained parameters, loss, memory and time; the second seed is a little worse. */
const MEASURED: Record<string, [number, number, number, number]> = {
  'LORA r=1': [9_728, 1.31, 520e6, 31],
  'LORA r=4': [38_912, 1.12, 525e6, 33],
  'LORA r=16': [155_648, 1.11, 540e6, 37],
  'prompt tuning': [2_048, 1.74, 515e6, 35],
  'full fine-tuning': [1_756_032, 1.05, 1_250e6, 58],
};

function finished(name: string, seed: number, changes: Partial<FolderFigures> = {}): FolderFigures {
  const [trained, loss, memory, seconds] = MEASURED[name]!;
  const worse = (seed - 1) * 0.02;
  const {
    name: _,
    seed: __,
    ...figures
  } = finishedRun(name, seed, {
    trainable_parameters: trained,
    validation_loss: loss + worse,
    score: 1 / loss - worse,
    peak_rss_bytes: memory,
    train_seconds: seconds + seed,
    kl_from_base: 0.2 / loss,
    general_loss: 3.1 + worse,
  });
  return { ...figures, ...changes };
}

/** The race after its first `number` runs. */
function after(number: number, changes: Partial<RaceSnapshot> = {}): RaceSnapshot {
  return {
    race: RACE,
    run: null,
    folders: Object.fromEntries(
      ENTRIES.slice(0, number).map(({ name, seed, folder }) => [folder, finished(name, seed)]),
    ),
    baseScore: 0.125,
    file: '/work/methods.race.json',
    folder: '/work/races/methods-20260131-142500',
    alive: false,
    progress: [],
    log: [],
    hasReport: true,
    trusted: true,
    ...changes,
  };
}

const NEW = after(0, { folder: null, hasReport: false, baseScore: null });
const whole = ENTRIES.length;
const running = after(3, {
  alive: true,
  hasReport: false,
  progress: [{ folder: ENTRIES[3]!.folder, step: 12, totalSteps: 60, secondsLeft: 30 }],
});
const { name: _name, seed: _seed, ...begun } = unfinishedRun('LORA r=4', 2, { status: 'running', steps: 12 });
running.folders[ENTRIES[3]!.folder] = begun;
const failed = after(whole);
failed.folders[ENTRIES[0]!.folder] = finished('LORA r=1', 1, {
  status: 'failed',
  validation_loss: null,
  score: null,
  failure: 'the loss of step 3 is non-finite',
});

interface State {
  snapshot: RaceSnapshot;
  status: string;
  offers: string[];
  charts: number;
}

const states: Record<string, State> = {
  new: { snapshot: NEW, status: 'not started', offers: ['Start Race'], charts: 0 },
  checking: {
    snapshot: { ...NEW, folder: '/work/races/a', alive: true },
    status: 'checking all runs',
    offers: ['Stop Race'],
    charts: 0,
  },
  running: { snapshot: running, status: 'running', offers: ['Stop Race'], charts: 6 },
  interrupted: {
    snapshot: after(3, {
      log: ['[4/10] LORA r=4, seed 2', 'step 12/60  loss 1.31', 'error: Stopped. Continue with: tunewright race'],
    }),
    status: 'interrupted',
    offers: ['Resume Race'],
    charts: 6,
  },
  finished: { snapshot: after(whole), status: 'finished', offers: [], charts: 6 },
  failed: { snapshot: failed, status: 'finished', offers: [], charts: 6 },
  restricted: { snapshot: after(3, { trusted: false }), status: 'interrupted', offers: [], charts: 6 },
};

let browser: WebviewBrowser;
beforeAll(async () => {
  browser = await WebviewBrowser.start();
});
afterEach(() => browser.closePages());
afterAll(() => browser?.stop());

async function open(snapshot: RaceSnapshot, options: Partial<OpenOptions> = {}): Promise<Page> {
  const page = await browser.open({
    ...{ webview: 'race', theme: 'dark', width: 1300, ...options },
    prepare: opened => opened.evaluate(shown => window.fake.serveRace(shown), snapshot),
  });
  await page.locator('.status[data-status]').waitFor();
  return page;
}

const log = (page: Page) => page.evaluate(() => window.fake.log);
const words = (page: Page) => page.locator('header .actions vscode-button:visible').allInnerTexts();

describe('every state of a race', () => {
  it.each(Object.entries(states))('%s', async (name, { snapshot, status, offers, charts }) => {
    const page = await open(snapshot);
    expect((await page.locator('.status').innerText()).trim()).toBe(status);
    expect((await words(page)).map(text => text.trim())).toEqual(offers);
    expect(await page.locator('svg.race-chart').count()).toBe(charts);
    expect(await page.locator('tbody tr').count()).toBe(5);
    await page.screenshot({ path: screenshotPath(`race-${name}`), fullPage: true });
    await page.close();
  });

  it('says how far the run in progress is, and what the log said of a race that ended early', async () => {
    const page = await open(running);
    expect(await page.locator('.head').innerText()).toContain('3 of 10 runs done · LORA r=4, seed 2: step 12 of 60');
    expect(await page.getByRole('progressbar').getAttribute('aria-valuenow')).toBe('32');
    await page.evaluate(shown => window.fake.showRace(shown), states['interrupted']!.snapshot);
    await page.getByText('step 12/60  loss 1.31').waitFor();
    await page.close();
  });

  it('says at which key a race file is wrong, and opens it', async () => {
    const page = await open({ ...NEW, race: { ...RACE, vary: [{ name: 'a' }, { name: 'a' }] } });
    expect(await page.getByRole('alert').innerText()).toContain('vary.1.name');
    expect(await page.getByRole('alert').innerText()).toContain('vary.0 has the name "a", too');
    await page.getByText('Open Race File', { exact: true }).click();
    expect(await log(page)).toContainEqual({ file: 'race' });
    await page.evaluate(shown => window.fake.showRace(shown), NEW);
    await page.getByRole('alert').waitFor({ state: 'hidden' });
    await page.close();
  });

  it('is started, stopped and resumed; an error is shown', async () => {
    const page = await open(NEW);
    await page.getByRole('button', { name: 'Start Race' }).click();
    await page.evaluate(shown => window.fake.showRace(shown), running);
    await page.getByRole('button', { name: 'Stop Race' }).click();
    await page.getByText('The disk is full.').waitFor();
    await page.evaluate(shown => window.fake.showRace(shown), after(3));
    await page.getByRole('button', { name: 'Resume Race' }).click();
    expect(await log(page)).toEqual([{ steered: 'start' }, { steered: 'stop' }, { steered: 'resume' }]);
    await page.close();
  });
});

describe('a finished race', () => {
  it('opens the runs of an entry from its point, its label, the line and the table', async () => {
    const page = await open(after(whole));
    const chart = page.locator('svg.race-chart').first();
    const folders = (name: string) => ENTRIES.filter(entry => entry.name === name).map(({ folder }) => folder);
    await chart.locator('[data-entry="LORA r=4"] .point').click();
    await chart.locator('[data-entry="full fine-tuning"] text').click();
    // The middle of the front's first part is nearer to one of its ends by chance; both are on it.
    const front = chart.locator('.front');
    const [x, y] = (await front.getAttribute('points'))!.split(' ')[0]!.split(',').map(Number) as [number, number];
    const scale = (await chart.boundingBox())!.width / 720;
    await front.dispatchEvent('click', {
      bubbles: true,
      clientX: (await chart.boundingBox())!.x + x * scale,
      clientY: (await chart.boundingBox())!.y + y * scale,
    });
    await page.getByRole('button', { name: 'LORA r=16', exact: true }).click();
    await page.locator('tbody tr', { hasText: 'LORA r=1' }).first().locator('.seed .link').nth(1).click();
    expect(await log(page)).toEqual([
      { opened: folders('LORA r=4') },
      { opened: folders('full fine-tuning') },
      { opened: folders('prompt tuning') },
      { opened: folders('LORA r=16') },
      { opened: [folders('LORA r=1')[1]] },
    ]);
    await page.close();
  });

  it('has means, deviations and what was forgotten', async () => {
    const page = await open(after(whole));
    const row = page.locator('tbody tr', { hasText: 'LORA r=4' });
    expect(await row.locator('th, td').allInnerTexts()).toEqual(
      expect.arrayContaining(['38,912', '1.1300 ± 0.0141', '525 MB', '0.1786', '3.1100 ± 0.0141']),
    );
    expect(await page.locator('thead th').allInnerTexts()).toContain('KL from the base');
    expect(await page.getByText('Without training, the base scores').innerText()).toContain('13%');
    await page.close();
  });

  it('chooses under limits, which survive, and hands the options to the run panel', async () => {
    const page = await open(after(whole));
    const choice = page.getByRole('region', { name: 'Choose for me' });
    expect(await choice.getByRole('status').innerText()).toMatch(/^The best: full fine-tuning, score /);
    await choice.getByRole('textbox', { name: 'Peak memory' }).fill('1');
    expect(await choice.getByRole('status').innerText()).toMatch(
      /^The best under 1.0 GB: LORA r=16, .*No difference shown .*: LORA r=4/,
    );
    await choice.getByRole('button', { name: 'Use This Method' }).click();
    await choice.getByRole('button', { name: 'Use LORA r=4' }).click();
    const used = (await log(page)).map(entry => (entry as { used: { method: object; name?: string } }).used);
    expect(used.map(({ method }) => method)).toEqual([
      { peft_type: 'LORA', target_modules: 'all-linear', r: 16 },
      { peft_type: 'LORA', target_modules: 'all-linear', r: 4 },
    ]);
    expect(used[0]!.name).toBeUndefined();
    await choice.getByRole('textbox', { name: 'Training time' }).fill('0.1');
    expect(await choice.getByRole('status').innerText()).toBe(
      'No entry stays under 1.0 GB and 0:06 with all of its seeds.',
    );
    expect(await choice.getByRole('button').count()).toBe(0);
    await choice.getByRole('textbox', { name: 'Training time' }).fill('soon');
    expect(await choice.getByRole('status').innerText()).toBe('A limit is a number, or empty.');
    expect(await page.evaluate(() => window.fake.kept())).toEqual({
      file: '/work/methods.race.json',
      folder: '/work/races/methods-20260131-142500',
      limits: { memory: '1', time: 'soon' },
    });
    await page.close();
  });

  it('says why entries failed, and opens their runs', async () => {
    const page = await open(failed);
    await page.getByRole('button', { name: 'LORA r=1, seed 1: the loss of step 3 is non-finite' }).click();
    expect(await log(page)).toEqual([{ opened: [ENTRIES[0]!.folder] }]);
    await page.close();
  });
});

describe.each(themes)('in the theme %s', theme => {
  it('is accessible and has a screenshot', async () => {
    const page = await open(failed, { theme });
    await page.screenshot({ path: screenshotPath(`race-${theme}`), fullPage: true });
    await expectAccessible(page);
    await page.close();
  });
});

it('is usable in a narrow editor', async () => {
  const page = await open(after(whole), { width: 420 });
  await page.screenshot({ path: screenshotPath('race-narrow'), fullPage: true });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(420);
  await page.close();
});

it('its bundle stays below 500 kB', () => {
  expect(browser.bundleSizes['race.js']).toBeLessThan(500_000);
});
