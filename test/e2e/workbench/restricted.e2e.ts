// Restricted Mode: previews work, nothing is trained or executed, and what to do about it is said.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFile } from '../../integration/support/workbenchPage.js';
import { startWorkbench, type WorkbenchSession } from './session.js';

let session: WorkbenchSession;
let page: Page;
beforeAll(async () => {
  session = await startWorkbench({ workspaceTrust: true });
  page = await session.open();
  const dialog = page.locator('.monaco-dialog-box');
  await dialog.waitFor({ timeout: 30_000 });
  await dialog.locator('.monaco-button').filter({ hasText: /^No/ }).first().click();
}, 180_000);
afterAll(() => session?.close());

test('the views say that the workspace has to be trusted', async () => {
  const tab = page.locator('.activitybar [aria-label^="Tunewright"]').first();
  await tab.waitFor({ timeout: 30_000 });
  await tab.click();
  await page.getByText('This workspace is in Restricted Mode').waitFor();
  await session.shot(page, 'restricted');
}, 60_000);

test('the palette offers nothing that trains', async () => {
  await page.keyboard.press('F1');
  await page.locator('.quick-input-widget input[type=text]').fill('>Tunewright: ');
  const rows = page.locator('.quick-input-widget .quick-input-list .monaco-list-row');
  await rows.filter({ hasText: 'Preview Dataset' }).first().waitFor();
  const offered = (await rows.allInnerTexts()).join('\n');
  for (const command of ['Fine-Tune', 'Start Run', 'Pull Model', 'Install Training Engine'])
    expect(offered).not.toContain(command);
  await page.keyboard.press('Escape');
}, 60_000);

test('datasets can be looked at', async () => {
  await openFile(page, 'pirate.messages.jsonl');
  await page
    .locator('.codelens-decoration')
    .filter({ hasText: /messages/ })
    .first()
    .waitFor({ timeout: 30_000 });
  await session.shot(page, 'restricted-dataset');
  expect(existsSync(join(session.workspace, 'runs'))).toBe(false);
}, 60_000);
