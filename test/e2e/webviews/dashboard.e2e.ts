import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fake } from './page/fakeHost.js';
import { expectAccessible } from './accessibility.js';
import { screenshotPath, themes, WebviewBrowser, type OpenOptions } from './harness.js';
import { recordedAnswer, recordedRun } from './recordings.js';

declare global {
  interface Window {
    fake: Fake;
  }
}

const lora = recordedRun('pirate-lora');
const others = { '/runs/prompt': recordedRun('pirate-prompt'), '/runs/full': recordedRun('pirate-full') };
const estimate = recordedAnswer('estimate-tiny');

let browser: WebviewBrowser;
beforeAll(async () => {
  browser = await WebviewBrowser.start();
});
afterAll(() => browser?.stop());

/** Adds a run to the charts, and waits for its values. */
async function compareWith(page: Page, name: string): Promise<void> {
  await page.getByRole('combobox', { name: 'Compare with' }).click();
  await page.getByRole('option', { name }).click();
  await chart(page, 'Loss').locator('.readout').getByText(`${name} validation`).waitFor();
}

/** A dashboard on the LoRA run's first events. */
async function open(numEvents: number, options: Partial<OpenOptions> = {}): Promise<Page> {
  return browser.open({
    webview: 'dashboard',
    theme: 'dark',
    width: 1200,
    ...options,
    prepare: page =>
      page.evaluate(
        ([events, others, estimate]) => {
          window.fake.addRun('/runs/lora', 'pirate-lora', events);
          if (events.at(-1)!.type === 'completed') window.fake.setAlive('/runs/lora', false);
          for (const [folder, recorded] of Object.entries(others)) {
            window.fake.addRun(folder, `pirate-${folder.split('/').at(-1)}`, recorded);
            window.fake.setAlive(folder, false);
          }
          window.fake.serveDashboard(['/runs/lora'], estimate);
        },
        [lora.slice(0, numEvents), others, estimate] as const,
      ),
  });
}
const charted = (page: Page) => page.waitForSelector('.chart canvas');
/** A chart by its heading. */
const chart = (page: Page, title: string) =>
  page.locator('.chart', { has: page.getByRole('heading', { name: title, exact: true }) });

describe('dashboard', () => {
  it('follows a run', async () => {
    const page = await open(60);
    await charted(page);
    expect(await page.locator('h1').textContent()).toBe('pirate-lora');
    expect(await page.locator('.status').textContent()).toMatch(/Training/);
    const before = await chart(page, 'Loss').locator('.readout').textContent();
    await page.evaluate(events => window.fake.feed('/runs/lora', events), lora.slice(60, 120));
    await expect.poll(() => chart(page, 'Loss').locator('.readout').textContent()).not.toBe(before);
    await page.evaluate(events => window.fake.feed('/runs/lora', events), lora.slice(120));
    await page.evaluate(() => window.fake.setAlive('/runs/lora', false));
    await expect.poll(() => page.locator('.status').textContent()).toMatch(/Completed/);
    expect(await page.locator('.figures').textContent()).toMatch(/115,840 of 1,866,080/);
    const readouts = {
      Loss: /^training0\.\d+validation0\.\d+$/,
      'Token accuracy': /^validation\d+\.\d%$/,
      'Learning rate': /^rate[\d.e-]+$/,
      'Gradient norm': /^norm[\d.]+$/,
      'Tokens per second': /^tokens\/s[\d,]+$/,
      Memory: /^resident\d+ MB$/,
    };
    expect(await page.locator('.chart h3').allTextContents()).toEqual(Object.keys(readouts));
    for (const [title, readout] of Object.entries(readouts))
      expect(await chart(page, title).locator('.readout').textContent()).toMatch(readout);
    expect(await page.evaluate(() => window.fake.faults)).toEqual([]);
  });

  it('shows the savings compared with full fine-tuning: parameters, and memory by part', async () => {
    const page = await open(lora.length);
    const savings = page.getByRole('region', { name: 'Compared with full fine-tuning' });
    await savings.getByText('115,840 parameters are trained instead of 1,750,240: 93% fewer.').waitFor();
    expect(await savings.textContent()).toMatch(/A step takes an estimated \d+ MB less memory/);
    expect(await savings.locator('.memory-label').allTextContents()).toEqual([
      expect.stringMatching(/^LoRA\d+ MB$/),
      expect.stringMatching(/^Full fine-tuning\d+ MB$/),
      expect.stringMatching(/^Inference\d+ MB$/),
    ]);
    const parts = await savings.locator('.memory-legend dt').allTextContents();
    expect(parts).toEqual(['weights', 'gradients', 'optimizer', 'activations', 'temporary']);
  });

  it('overlays several runs', async () => {
    const page = await open(lora.length);
    await charted(page);
    await compareWith(page, 'pirate-prompt');
    expect(await page.locator('.overlays li').count()).toBe(2);
    await compareWith(page, 'pirate-full');
    expect(await page.locator('.overlays li').count()).toBe(3);
    await page.screenshot({ path: screenshotPath('dashboard-compare-3-dark'), fullPage: true });
    // A line for each run, with values in columns; neighbouring plots start at the same height.
    const corners = () =>
      chart(page, 'Loss')
        .locator('.readout li:not(.at)')
        .evaluateAll(items => items.map(item => item.getBoundingClientRect()).map(({ x, y }) => [x, y] as const));
    const columnsAndLines = async () => {
      const places = await corners();
      return [0, 1].map(axis => new Set(places.map(place => place[axis])).size);
    };
    expect(await columnsAndLines()).toEqual([2, 3]);
    const top = async (title: string) => (await chart(page, title).locator('.plot').boundingBox())!.y;
    expect(await top('Loss')).toBe(await top('Token accuracy'));
    await page.setViewportSize({ width: 420, height: 900 });
    await expect.poll(columnsAndLines).toEqual([1, 6]);
    await chart(page, 'Loss').getByRole('img').focus();
    await page.keyboard.press('ArrowLeft');
    await chart(page, 'Loss').locator('.readout .at').waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(420);
    await page.screenshot({ path: screenshotPath('dashboard-compare-3-narrow-dark'), fullPage: true });
    await page.setViewportSize({ width: 1200, height: 900 });
    await page.getByRole('button', { name: 'Remove pirate-lora' }).click();
    await expect.poll(() => page.locator('h1').textContent()).toBe('pirate-prompt');
  });

  it('controls the run, and shows only available actions', async () => {
    const page = await open(60);
    await charted(page);
    const sent = () => page.evaluate(() => window.fake.sent('/runs/lora'));
    const button = (name: string) => page.getByRole('button', { name, exact: true });
    await button('Pause Run').click();
    await button('Save Checkpoint Now').click();
    await expect.poll(sent).toEqual(['pause', 'save']);
    expect(await button('Continue Run').isVisible()).toBe(false);
    const { seq, time } = lora[59]!;
    const paused: (typeof lora)[number] = { seq: seq + 1, time, type: 'paused', step: 20 };
    await page.evaluate(event => window.fake.feed('/runs/lora', [event]), paused);
    await button('Continue Run').click();
    expect(await button('Pause Run').isVisible()).toBe(false);
    await button('Stop Run (saves the adapter)').click();
    await expect.poll(sent).toEqual(['pause', 'save', 'resume', 'stop']);
    await page.evaluate(() => window.fake.setAlive('/runs/lora', false));
    await button('Resume Run (from the last checkpoint)').click();
    await expect.poll(() => page.evaluate(() => window.fake.log)).toContainEqual({ resumed: '/runs/lora' });
  });

  it('reads values and zooms by keyboard, and exports', async () => {
    const page = await open(lora.length);
    await charted(page);
    const loss = chart(page, 'Loss');
    await loss.getByRole('img').focus();
    await page.keyboard.press('Home');
    await expect.poll(() => loss.locator('.readout').textContent()).toMatch(/0$/);
    await page.keyboard.press('+');
    await expect.poll(() => loss.getByRole('button', { name: 'reset zoom' }).isVisible()).toBe(true);
    await page.keyboard.press('0');
    await expect.poll(() => loss.getByRole('button', { name: 'reset zoom' }).isVisible()).toBe(false);
    await loss.getByRole('button', { name: 'save as CSV' }).click();
    await loss.getByRole('button', { name: 'save as PNG' }).click();
    await expect.poll(() => page.evaluate(() => window.fake.log.length)).toBe(2);
    const [csv, png] = (await page.evaluate(() => window.fake.log)) as {
      exported: string;
      size: number;
      text: string;
    }[];
    expect(csv!.exported).toBe('pirate-lora-loss.csv');
    expect(csv!.text.split('\n').slice(0, 2)).toEqual([
      'series,step,value',
      expect.stringMatching(/^training,1,[\d.]+$/),
    ]);
    expect(png!.exported).toBe('pirate-lora-loss.png');
    expect(png!.size).toBeGreaterThan(5000);
  });

  it('draws on a logarithmic scale, and zooms all charts to the range selected by mouse', async () => {
    const page = await open(lora.length);
    await charted(page);
    const loss = chart(page, 'Loss');
    const drawn = () => loss.locator('canvas').evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
    const linear = await drawn();
    const scale = loss.getByRole('button', { name: 'logarithmic scale' });
    await scale.click();
    await expect.poll(drawn).not.toBe(linear);
    expect(await scale.getAttribute('aria-pressed')).toBe('true');
    await scale.click();
    await expect.poll(drawn).toBe(linear);
    const box = (await loss.locator('.u-over').boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + 50);
    await page.mouse.down();
    await page.mouse.move(box.x + (3 * box.width) / 4, box.y + 50, { steps: 4 });
    await page.mouse.up();
    const reset = page.getByRole('button', { name: 'reset zoom' });
    await expect.poll(() => reset.count()).toBe(6);
    expect(await drawn()).not.toBe(linear);
    await loss.locator('.u-over').dblclick();
    await expect.poll(() => reset.count()).toBe(0);
    await page.mouse.move(0, 0);
    await expect.poll(drawn).toBe(linear);
  });

  it('smooths, and reads values under the mouse', async () => {
    const page = await open(lora.length);
    await charted(page);
    const readout = chart(page, 'Loss').locator('.readout');
    const last = await readout.textContent();
    await page.locator('.smoothing input').fill('0.9');
    await expect.poll(() => readout.textContent()).not.toBe(last);
    await page.locator('.smoothing input').fill('0');
    await expect.poll(() => readout.textContent()).toBe(last);
    const box = (await chart(page, 'Loss').locator('.u-over').boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    // Its last part is the step.
    await expect.poll(() => readout.locator('li').last().textContent()).toMatch(/^step [56]\d$/);
  });

  it('shows answers before, during and after training side by side, and the log', async () => {
    const page = await open(lora.length);
    await charted(page);
    const cells = async (locator: string) => (await page.locator(`.samples ${locator}`).allTextContents()).slice(0, 4);
    const said = (step: number) => lora.find(event => event.type === 'sample' && event.step === step)!;
    expect(await cells('thead th')).toEqual(['Prompt', 'Before', expect.stringMatching(/^Step \d+$/), 'After step 80']);
    await page.getByRole('combobox', { name: 'Answers at step' }).click();
    await page.getByRole('option', { name: '40', exact: true }).click();
    const { prompt, text: before } = said(0) as { prompt: string; text: string };
    const { text: between } = said(40) as { text: string };
    const after = lora.findLast(event => event.type === 'sample' && event.prompt === prompt) as { text: string };
    expect(await cells('tbody tr:first-child > *')).toEqual([prompt, before, between, after.text]);
    const log = await page.locator('.log').textContent();
    for (const words of [/Started \(tensorflow/, /Saved checkpoints\/step-\d+/, /Finished after step 120/])
      expect(log).toMatch(words);
  });

  it('shows everything again after messages were lost while it was hidden', async () => {
    const page = await open(60);
    await charted(page);
    await page.evaluate(
      events => {
        window.fake.setVisible(false);
        window.fake.feed('/runs/lora', events);
      },
      lora.slice(60, 160),
    );
    await page.waitForTimeout(400);
    await page.evaluate(events => {
      window.fake.setVisible(true);
      window.fake.feed('/runs/lora', events);
    }, lora.slice(160));
    await expect.poll(() => page.locator('.head').textContent()).toMatch(/Step 120 of 120/);
    await expect
      .poll(() => chart(page, 'Loss').getByRole('img').getAttribute('aria-label'))
      .toMatch(/training: 120 values/);
  });

  it('says why a run failed, and that a run no longer exists', async () => {
    const page = await browser.open({
      webview: 'dashboard',
      theme: 'dark',
      width: 1200,
      prepare: page =>
        page.evaluate(events => {
          window.fake.addRun('/runs/diverged', 'diverged', events);
          window.fake.setAlive('/runs/diverged', false);
          window.fake.serveDashboard(['/runs/diverged'], null);
        }, recordedRun('diverged')),
    });
    await expect
      .poll(() => page.getByRole('alert').first().textContent())
      .toMatch(/no finite number.*checkpoints\/step-/s);
    await page.screenshot({ path: screenshotPath('dashboard-failed-dark'), fullPage: true });
    const gone = await browser.open({
      webview: 'dashboard',
      theme: 'dark',
      width: 700,
      prepare: page => page.evaluate(() => window.fake.serveDashboard(['/runs/none'], null)),
    });
    expect(await gone.locator('.empty').textContent()).toMatch(/This run no longer exists/);
    await gone.screenshot({ path: screenshotPath('dashboard-gone-dark') });
  });

  it('keeps up with 100,000 steps', async () => {
    const started = { ...lora[0]!, total_steps: 110_000 } as (typeof lora)[number];
    const page = await browser.open({
      webview: 'dashboard',
      theme: 'dark',
      width: 1400,
      prepare: page =>
        page.evaluate(started => {
          window.fake.addLongRun('/runs/long', 100_000, started);
          window.fake.serveDashboard(['/runs/long'], null);
        }, started),
    });
    await charted(page);
    const measured = await page.evaluate(async () => {
      const frame = () => new Promise<number>(resolve => requestAnimationFrame(resolve));
      const slider = document.querySelector<HTMLInputElement>('.smoothing input')!;
      const frames: number[] = [];
      let last = await frame();
      // The hardest case: dragging the smoothing slider while steps arrive.
      for (let i = 0; i < 60; i++) {
        slider.value = String(0.5 + i / 150);
        slider.dispatchEvent(new Event('input'));
        window.fake.feedSynthetic('/runs/long', 100_001 + i * 10, 100_010 + i * 10);
        const now = await frame();
        frames.push(now - last);
        last = now;
      }
      frames.sort((a, b) => a - b);
      return { median: frames[30]!, worst: frames[59]! };
    });
    console.log(
      `100,000 steps, six charts: median frame ${measured.median.toFixed(0)} ms, worst ${measured.worst.toFixed(0)} ms`,
    );
    await page.screenshot({ path: screenshotPath('dashboard-100000-dark') });
    expect(measured.median).toBeLessThan(250);
  });

  for (const theme of themes)
    it(`is accessible and looks right: ${theme}`, async () => {
      const page = await open(lora.length, { theme, reducedMotion: true });
      await charted(page);
      await page.locator('.chart').first().hover();
      await page.screenshot({ path: screenshotPath(`dashboard-${theme}`), fullPage: true });
      await expectAccessible(page);
      await compareWith(page, 'pirate-prompt');
      await chart(page, 'Loss').getByRole('img').hover();
      await page.screenshot({ path: screenshotPath(`dashboard-compare-${theme}`), fullPage: true });
      await expectAccessible(page);
      await page.setViewportSize({ width: 420, height: 900 });
      await page.waitForTimeout(300);
      if (theme === 'dark')
        await page.screenshot({ path: screenshotPath(`dashboard-narrow-${theme}`), fullPage: true });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(420);
      await expectAccessible(page);
    });
});
