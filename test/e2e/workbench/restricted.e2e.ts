// Restricted Mode: previews work, nothing is trained or executed, and the views say what to do.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { offeredCommands, openFile, openSidebar, webview } from '../../integration/support/workbenchPage.js';
import { startWorkbench, type WorkbenchSession } from './session.js';

let session: WorkbenchSession;
let page: Page;
beforeAll(async () => {
  session = await startWorkbench({ workspaceTrust: true });
  page = await session.open();
  const dialog = page.locator('.monaco-dialog-box');
  await dialog.locator('.monaco-button').filter({ hasText: /^No/ }).first().click();
});
afterAll(() => session?.close());

test('the views ask to trust the workspace', async () => {
  const panel = await openSidebar(page);
  await panel.getByText('Restricted Mode: trust this workspace').waitFor();
  expect(await panel.getByRole('button', { name: 'Start Fine-Tuning' }).isEnabled()).toBe(false);
  await page.getByText('This workspace is in Restricted Mode').waitFor();
  await session.shot(page, 'restricted');
});

test('the palette offers nothing that trains', async () => {
  const offered = (await offeredCommands(page, 'Tunewright: ', 'Preview Dataset')).join('\n');
  for (const command of ['Fine-Tune', 'Start Run', 'Pull Model', 'Install Training Engine'])
    expect(offered).not.toContain(command);
});

test('datasets can be viewed', async () => {
  await openFile(page, 'pirate.messages.jsonl');
  await page
    .locator('.codelens-decoration')
    .filter({ hasText: /messages/ })
    .first()
    .waitFor();
  await session.shot(page, 'restricted-dataset');
  expect(existsSync(join(session.workspace, 'runs'))).toBe(false);
});

test('the run panel links to Workspace Trust', async () => {
  const panel = await webview(page, '.cards');
  await panel.getByRole('link', { name: 'Manage Workspace Trust' }).click();
  await page.locator('.workspace-trust-header').filter({ hasText: 'Restricted Mode' }).waitFor();
  await session.shot(page, 'restricted-trust');
});
