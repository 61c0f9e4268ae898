// From the command palette to an adapter, in a real workbench with the packaged extension: what a newcomer does first.
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFile, openSidebar, pick, runCommand } from '../../integration/support/workbenchPage.js';
import { startWorkbench, type WorkbenchSession } from './session.js';

const TRAINING_MS = 120_000;

let session: WorkbenchSession;
let page: Page;
beforeAll(async () => {
  session = await startWorkbench();
  page = await session.open();
});
afterAll(() => session?.close());

const row = (text: string | RegExp) => page.locator('.pane-body .monaco-list-row').filter({ hasText: text }).first();
const statusItem = () => page.locator('.statusbar-item').filter({ hasText: /pirate: / });

test('the sidebar says what to do where nothing was trained yet', async () => {
  await openSidebar(page);
  await page.getByText('Nothing was trained in this workspace yet').waitFor();
  await session.shot(page, 'sidebar-empty');
});

test('the palette carries through to a run that trains, and to its adapter', async () => {
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
    .filter({ hasText: /step \d+ of \d+, loss/ })
    .waitFor({ timeout: TRAINING_MS });
  await session.shot(page, 'training');
});

test('a reload in the middle of a run loses nothing', async () => {
  // Paused, so that it is still in its middle however long the reload takes.
  await runCommand(page, 'Tunewright: Pause Run');
  await statusItem().filter({ hasText: 'paused' }).waitFor();
  await page.reload();
  await statusItem().filter({ hasText: 'paused' }).waitFor();
  await row(/pirate/).waitFor();
  await runCommand(page, 'Tunewright: Continue Run');
  await statusItem().waitFor({ state: 'detached', timeout: TRAINING_MS });
  await row(/pirate.*loss \d/).waitFor();
});

test('its adapter stands in the tree of models and adapters', async () => {
  await page
    .locator('.pane-header')
    .filter({ hasText: /Models and Adapters/i })
    .click();
  await row(/pirate.*LoRA/).waitFor();
  await session.shot(page, 'adapter');
});

test('a run file has a line that starts it', async () => {
  await openFile(page, 'pirate.tune.json');
  await page.locator('.codelens-decoration a').filter({ hasText: 'Start Run' }).waitFor();
  await session.shot(page, 'run-file');
});

test('nothing asked for an address outside this machine', () => expect(session.browser.outside).toEqual([]));
