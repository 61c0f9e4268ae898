// What comes after training, in a real VS Code with the embedded model: methods are compared in a race, a run is evaluated on rows that it
// hasn't seen, and exported with a certificate. `npm run screenshots` keeps the pictures for the README.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFile, openSidebar, pick, runCommand, webview } from '../../integration/support/workbenchPage.js';
import { startWorkbench, TRAINING_MS, type WorkbenchSession } from './session.js';

const SHOTS = process.env['TUNEWRIGHT_SCREENSHOTS'];

let session: WorkbenchSession;
let page: Page;
beforeAll(async () => {
  // Hides what doesn't belong to the README's pictures.
  session = await startWorkbench({
    settings: { 'workbench.layoutControl.enabled': false, 'window.commandCenter': false },
  });
  const race = {
    name: 'methods',
    run: {
      name: 'pirate',
      model: 'embedded:tiny',
      dataset: {
        train: 'datasets/pirate.messages.jsonl',
        validation: 'datasets/pirate.validation.jsonl',
        max_length: 128,
      },
      method: { peft_type: 'LORA', target_modules: 'all-linear' },
      training: { per_device_train_batch_size: 8, learning_rate: 5e-3, warmup_steps: 5, measure_forgetting: false },
    },
    vary: [
      { grid: { 'method.r': [1, 8] } },
      { name: 'IA3', method: { peft_type: 'IA3' }, training: { learning_rate: 0.1 } },
      { name: 'full fine-tuning', method: { peft_type: 'FULL' }, training: { learning_rate: 5e-4 } },
    ],
    seeds: [1],
    // For the README's picture as long as its run; the path through the views is the same.
    budget: { max_steps: SHOTS ? 88 : 6 },
  };
  writeFileSync(join(session.workspace, 'methods.race.json'), JSON.stringify(race, null, 2));
  page = await session.open();
  await openSidebar(page);
  await runCommand(page, 'View: Toggle Primary Side Bar Visibility');
});
afterAll(() => session?.close());

test('methods are compared in a race', async () => {
  await openFile(page, 'methods.race.json');
  await page.locator('.codelens-decoration a').filter({ hasText: 'Start Race' }).click();
  const race = await webview(page, '.race .status[data-status]');
  await race.locator('.status[data-status="finished"]').waitFor({ timeout: TRAINING_MS });
  expect(await race.locator('tbody tr').count()).toBe(4);
  expect(await race.getByRole('region', { name: 'Choose for me' }).innerText()).toMatch(/The best: \w/);
  await page.waitForTimeout(1000);
  await session.shot(page, 'race');
});

test('a run is evaluated on rows that it has not seen: losses in the text, answers', async () => {
  await openFile(page, 'pirate.tune.json');
  await page.locator('.codelens-decoration a').filter({ hasText: 'Start Run' }).click();
  const dashboard = await webview(page, '.dashboard .status[data-status]');
  await dashboard.locator('.status[data-status="completed"]').waitFor({ timeout: TRAINING_MS });
  await runCommand(page, 'Tunewright: Evaluate on a Dataset');
  await pick(page, 'pirate');
  await pick(page, 'pirate.validation.jsonl');
  await pick(page, 'Loss and Answers');
  const evaluation = await webview(page, '.evaluation');
  await evaluation.getByRole('heading', { name: 'Rows with the highest loss' }).waitFor({ timeout: TRAINING_MS });
  expect(await evaluation.locator('tbody tr').count()).toBeGreaterThan(5);
  expect(await evaluation.locator('tbody tr:first-child .tokens .token').count()).toBeGreaterThan(5);
  await page.waitForTimeout(1000);
  await session.shot(page, 'evaluation');
});

test('it is exported as GGUF, with a certificate', async () => {
  await runCommand(page, 'Tunewright: Export...');
  await pick(page, 'pirate');
  const view = await webview(page, '.export');
  await view.getByRole('radio', { name: /^GGUF/ }).click();
  await view.getByRole('button', { name: 'Export', exact: true }).click();
  await view.getByRole('heading', { name: 'GGUF: exported' }).waitFor({ timeout: TRAINING_MS });
  const rows = await view.getByRole('table', { name: 'Certificate' }).getByRole('row').allInnerTexts();
  expect(rows.some(row => row.startsWith('KL divergence'))).toBe(true);
  const runs = join(session.workspace, 'runs');
  const exports = join(runs, readdirSync(runs)[0]!, 'exports');
  const names = readdirSync(exports);
  const certificate = names.find(name => name.endsWith('.certificate.json'))!;
  expect(names).toContain(certificate.replace('.certificate.json', ''));
  const { verdict } = JSON.parse(readFileSync(join(exports, certificate), 'utf8')) as { verdict: string };
  expect(['same', 'within']).toContain(verdict);
  await page.waitForTimeout(1000);
  await session.shot(page, 'export');
});
