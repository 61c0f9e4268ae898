// From a run file to a compared race, in a real workbench with the packaged extension: Compare Methods asks, writes a race file and
// starts it; the tab shows it live, stops and resumes it, opens runs and hands a method to the run panel.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Frame, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFile, openSidebar, pick, runCommand, until, webview } from '../../integration/support/workbenchPage.js';
import { expectAccessible } from '../webviews/accessibility.js';
import { startWorkbench, TRAINING_MS, type WorkbenchSession } from './session.js';

let session: WorkbenchSession;
let page: Page;
beforeAll(async () => {
  session = await startWorkbench();
  writeFileSync(
    join(session.workspace, 'brief.tune.json'),
    JSON.stringify({
      name: 'brief',
      model: 'embedded:tiny',
      dataset: { train: 'datasets/pirate.messages.jsonl', max_length: 64, validation: 0.1 },
      method: { peft_type: 'LORA', r: 2 },
      training: { per_device_train_batch_size: 2, learning_rate: 5e-3, measure_forgetting: false },
    }),
  );
  page = await session.open();
  await openSidebar(page);
});
afterAll(() => session?.close());

const FILE = 'brief-race.race.json';
const race = () => JSON.parse(readFileSync(join(session.workspace, FILE), 'utf8')) as Record<string, unknown>;
const raceFolder = () => {
  const home = join(session.workspace, 'races');
  return join(home, readdirSync(home).sort().at(-1)!);
};
const tab = () => webview(page, '.race .status[data-status]');
const status = (frame: Frame, text: string) =>
  frame.locator(`.status[data-status="${text}"]`).waitFor({ timeout: TRAINING_MS });

async function answer(text: string): Promise<void> {
  const input = page.locator('.quick-input-widget input.input');
  await input.fill(text);
  await page.keyboard.press('Enter');
}

test('Compare Methods writes a race file from what is chosen', async () => {
  await openFile(page, 'brief.tune.json');
  await runCommand(page, 'Tunewright: Compare Methods');
  const row = (text: string) => page.locator('.quick-input-list .monaco-list-row').filter({ hasText: text }).first();
  await row('as in the run file').waitFor();
  await row('Prompt tuning').click();
  await session.shot(page, 'compare-methods');
  await page.locator('.quick-input-action a', { hasText: 'OK' }).click();
  await pick(page, '1 seed');
  await page.locator('.quick-input-widget').getByText('How long each entry trains').waitFor();
  await answer('4 steps');
  await pick(page, 'Edit Race File');
  await page.locator('.tab.active').filter({ hasText: FILE }).waitFor();
  expect(race()).toEqual({
    name: 'brief-race',
    run: 'brief.tune.json',
    vary: [
      { name: 'LoRA' },
      { name: 'Prompt tuning', method: { peft_type: 'PROMPT_TUNING' }, training: { learning_rate: 0.17 } },
    ],
    seeds: [1],
    budget: { max_steps: 4 },
  });
});

test('the file has a CodeLens that starts the race, whose tab shows it until both entries have finished', async () => {
  await page.locator('.codelens-decoration a').filter({ hasText: 'Start Race' }).click();
  const frame = await tab();
  await status(frame, 'finished');
  expect(await frame.locator('svg.race-chart').count()).toBe(3);
  expect(await frame.locator('.head').innerText()).toContain('2 of 2 runs done');
  const rows = await frame.locator('tbody tr').allInnerTexts();
  expect(rows.map(text => text.split('\t')[0])).toEqual(['LoRA', 'Prompt tuning']);
  expect(await frame.getByRole('region', { name: 'Choose for me' }).innerText()).toMatch(/The best: \w/);
  await frame.getByRole('button', { name: 'Open Report' }).waitFor();
  expect(existsSync(join(raceFolder(), 'report.md'))).toBe(true);
  await expectAccessible(frame, '--vscode-editor-background');
  await session.shot(page, 'race');
});

test('a click on an entry opens the dashboard of its run, and its method can be used', async () => {
  const frame = await tab();
  await frame.getByRole('button', { name: 'LoRA', exact: true }).click();
  await page.locator('.tab.active').filter({ hasText: 'LoRA, seed 1' }).waitFor();
  const dashboard = await webview(page, '.dashboard .status[data-status="completed"]');
  expect(await dashboard.locator('.head').innerText()).toContain('Step 4 of 4');
  await page.locator('.tab').filter({ hasText: 'brief-race' }).last().click();
  const again = await tab();
  await again.getByRole('button', { name: 'Use This Method: Prompt tuning' }).click();
  const panel = await webview(page, '.cards');
  await panel.locator('[data-key="PROMPT_TUNING"][aria-checked="true"]').waitFor();
  // Both were measured on the draft's model and dataset.
  await panel
    .locator('.measured')
    .filter({ hasText: /^Measured here: validation loss \d/ })
    .waitFor();
  expect(await panel.locator('[data-key="LORA"] .card-measured').innerText()).toMatch(/^loss \d/);
  await session.shot(page, 'measured');
});

test('a race is stopped in its tab, and resumed', async () => {
  writeFileSync(join(session.workspace, FILE), JSON.stringify({ ...race(), budget: { max_steps: 400 } }));
  await openFile(page, FILE);
  await page.locator('.tab.active').filter({ hasText: FILE }).waitFor();
  await runCommand(page, 'Tunewright: Start Race');
  let frame = await tab();
  await status(frame, 'running');
  await frame.getByText(/step \d+ of 400/).waitFor({ timeout: TRAINING_MS });
  await frame.getByRole('button', { name: 'Stop Race' }).click();
  await status(frame, 'interrupted');
  expect(await frame.locator('.engine-log').innerText()).toContain('Stopped. Continue with');
  await frame.getByRole('button', { name: 'Resume Race' }).click();
  await status(frame, 'running');
  await page.reload();
  frame = await tab();
  await frame.getByRole('button', { name: 'Stop Race' }).click();
  await status(frame, 'interrupted');
  await until('the race has ended', async () => !existsSync(join(raceFolder(), 'process.json')));
});

test('no request left this machine', () => expect(session.browser.outside).toEqual([]));
