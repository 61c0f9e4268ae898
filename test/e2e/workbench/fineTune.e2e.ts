// From the command palette to an adapter, in a real workbench with the packaged extension: the path of a new user.
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { offeredCommands, openFile, openSidebar, pick, runCommand } from '../../integration/support/workbenchPage.js';
import { startWorkbench, TRAINING_MS, type WorkbenchSession } from './session.js';

let session: WorkbenchSession;
let page: Page;
beforeAll(async () => {
  session = await startWorkbench();
  page = await session.open();
});
afterAll(() => session?.close());

const row = (text: string | RegExp) => page.locator('.pane-body .monaco-list-row').filter({ hasText: text }).first();
const statusItem = () => page.locator('.statusbar-item').filter({ hasText: /pirate-lora: / });

/**
 * Which of these the palette offers. Searches for commands on runs, as the palette renders only what fits into its
 * list.
 */
const steering = ['Stop Run', 'Pause Run', 'Resume Run', 'Save Checkpoint Now'];
async function offered(): Promise<string[]> {
  const [runs, saving] = [
    await offeredCommands(page, 'Tunewright: Run', 'Start Run from File'),
    await offeredCommands(page, 'Tunewright: Save', 'Save as Run File'),
  ];
  const rows = [...runs, ...saving].join('\n');
  return steering.filter(title => rows.includes(`Tunewright: ${title}`));
}

test('without runs the side bar says what to do', async () => {
  await openSidebar(page);
  await page.getByText('This workspace has no runs yet').waitFor();
  await session.shot(page, 'sidebar-empty');
});

test('without runs the palette offers no commands on runs', async () => {
  expect(await offered()).toEqual([]);
  const rows = (await offeredCommands(page, 'Tunewright: Run', 'Start Run from File')).join('\n');
  for (const title of ['Duplicate Run', 'Compare Runs', 'Delete Run', 'Open Run Log', 'Reveal Run Folder'])
    expect(rows).not.toContain(title);
});

test('the palette leads to a run in training', async () => {
  await runCommand(page, 'Tunewright: Fine-Tune a Model');
  await pick(page, 'embedded:tiny');
  await pick(page, 'datasets/pirate.messages.jsonl');
  await pick(page, 'LORA');
  await session.shot(page, 'quick-picks');
  await pick(page, 'Start');
  await row(/pirate/).waitFor();
  await statusItem().waitFor();
  await page
    .locator('.statusbar-item')
    .filter({ hasText: /step \d+ of \d+, (train|val) loss/ })
    .waitFor({ timeout: TRAINING_MS });
  await session.shot(page, 'training');
});

test('a reload during a run loses nothing', async () => {
  // Paused, so that the run doesn't end during the reload.
  await runCommand(page, 'Tunewright: Pause Run');
  await statusItem().filter({ hasText: 'paused' }).waitFor();
  await page.reload();
  await statusItem().filter({ hasText: 'paused' }).waitFor();
  await row(/pirate/).waitFor();
});

test('the palette offers the commands that fit the status: paused, training, stopped, resumed, completed', async () => {
  await expect.poll(offered).toEqual(['Stop Run', 'Resume Run', 'Save Checkpoint Now']);
  await runCommand(page, 'Tunewright: Resume Run');
  await statusItem()
    .filter({ hasText: /step \d+ of \d+, (train|val) loss .* left/ })
    .waitFor();
  await expect.poll(offered).toEqual(['Stop Run', 'Pause Run', 'Save Checkpoint Now']);
  await runCommand(page, 'Tunewright: Stop Run');
  await statusItem().waitFor({ state: 'detached' });
  await expect.poll(offered).toEqual(['Resume Run']);
  await runCommand(page, 'Tunewright: Resume Run');
  await statusItem().waitFor();
  await statusItem().waitFor({ state: 'detached', timeout: TRAINING_MS });
  await row(/pirate.*loss \d/).waitFor();
  await expect.poll(offered).toEqual([]);
});

test('its adapter is in the Models and Adapters view', async () => {
  await page
    .locator('.pane-header')
    .filter({ hasText: /Models and Adapters/i })
    .click();
  await row(/pirate.*LoRA/).waitFor();
  await session.shot(page, 'adapter');
});

test('a run file has a CodeLens that starts it', async () => {
  await openFile(page, 'pirate.tune.json');
  await page.locator('.codelens-decoration a').filter({ hasText: 'Start Run' }).waitFor();
  await session.shot(page, 'run-file');
});

test('no request left this machine', () => expect(session.browser.outside).toEqual([]));
