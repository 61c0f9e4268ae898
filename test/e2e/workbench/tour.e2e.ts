// The tour shown in the README: palette, quick picks, a run with moving charts, the form, a dataset. `npm run
// screenshots` keeps its screenshots and its recording; as a test it checks that the tour works.
import { join } from 'node:path';
import type { Frame, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFile, openSidebar, pick, runCommand, webview } from '../../integration/support/workbenchPage.js';
import { record } from './recorder.js';
import { startWorkbench, TRAINING_MS, type WorkbenchSession } from './session.js';

const FRAMES = process.env['TUNEWRIGHT_SCREENSHOTS'] && join(process.env['TUNEWRIGHT_SCREENSHOTS'], 'frames-fine-tune');

let session: WorkbenchSession;
let page: Page;
let panel: Frame;
beforeAll(async () => {
  // Hides what doesn't belong to the tour.
  session = await startWorkbench({
    settings: {
      'workbench.layoutControl.enabled': false,
      'window.commandCenter': false,
      'editor.minimap.enabled': false,
      'keyboard.dispatch': 'code',
    },
  });
  page = await session.open();
  panel = await openSidebar(page);
});
afterAll(() => session?.close());

const pane = (title: RegExp) => page.locator('.pane-header').filter({ hasText: title }).first();

test('from the palette to charts that move', async () => {
  const recording = FRAMES ? await record(page, FRAMES) : null;
  await runCommand(page, 'Tunewright: Fine-Tune a Model');
  await pick(page, 'embedded:tiny');
  await pick(page, 'datasets/pirate.messages.jsonl');
  await pick(page, 'LORA');
  await pick(page, 'Start');
  const dashboard = await webview(page, '.dashboard .chart canvas', TRAINING_MS);
  await dashboard.locator('.status[data-status="completed"]').waitFor({ timeout: TRAINING_MS });
  await session.shot(page, 'dashboard');
  const samples = dashboard.getByRole('region', { name: 'Sample answers' });
  await samples.scrollIntoViewIfNeeded();
  await dashboard.evaluate(() => document.querySelector('.samples')!.scrollIntoView({ block: 'center' }));
  expect(await samples.textContent()).toMatch(/Before.*After/s);
  await page.waitForTimeout(1500);
  await recording?.stop();
});

test('the form: trained parameters and memory', async () => {
  await pane(/^Runs/i).click();
  const sash = page.locator('.monaco-sash.vertical').nth(1);
  const box = await sash.boundingBox();
  if (box) {
    await page.mouse.move(box.x + 2, 400);
    await page.mouse.down();
    await page.mouse.move(box.x + 90, 400, { steps: 5 });
    await page.mouse.up();
  }
  await panel.getByRole('combobox', { name: 'Model', exact: true }).click();
  await panel.getByRole('option', { name: /^embedded:tiny/ }).click();
  await panel.getByRole('combobox', { name: 'Training data', exact: true }).click();
  await panel.getByRole('option', { name: /pirate\.messages\.jsonl · datasets/ }).click();
  await panel.locator('.memory-row').nth(2).waitFor();
  await panel.getByText(/on this machine: \d+ steps/).waitFor();
  await panel.getByRole('combobox', { name: 'Matrix' }).click();
  await panel.getByRole('option', { name: /worked example/ }).click();
  await panel.getByText(/86% fewer/).waitFor();
  await panel.evaluate(() => document.querySelector('.lora-picture')!.scrollIntoView({ block: 'start' }));
  // The matrices animate to their new sizes.
  await page.waitForTimeout(1000);
  await session.shot(page, 'run-panel');
});

test('a dataset: CodeLens, hover and preview', async () => {
  await runCommand(page, 'View: Toggle Primary Side Bar Visibility');
  await openFile(page, 'pirate.messages.jsonl');
  await page
    .locator('.codelens-decoration')
    .filter({ hasText: /300 rows · [\d,]+ tokens/ })
    .first()
    .waitFor();
  const line = (await page.locator('.view-line').nth(2).boundingBox())!;
  await page.mouse.move(line.x + 200, line.y + line.height / 2);
  await page
    .locator('.monaco-hover')
    .filter({ hasText: /Row \d+/ })
    .waitFor();
  await session.shot(page, 'dataset-editor');
  await page.keyboard.press('Escape');
  await runCommand(page, 'Tunewright: Preview Dataset');
  const preview = await webview(page, '.preview .facts');
  await preview.getByText(/300 rows · [\d,]+ tokens/).waitFor();
  await preview.getByRole('row').nth(3).click();
  await preview.getByRole('heading', { name: 'Row 3' }).waitFor();
  await session.shot(page, 'dataset-preview');
});
