// Pulling a model from a hub, in a real workbench with the packaged extension: progress, a cancellation that leaves no
// model, the resumed download, and the model in the view, the form and the picker. The hub is a server on loopback.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Frame, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSidebar, pick, runCommand, until } from '../../integration/support/workbenchPage.js';
import { commit, startTinyHub, tinyFolder, type TinyHub } from '../../support/hubServer.js';
import { startWorkbench, type WorkbenchSession } from './session.js';

let hub: TinyHub;
let session: WorkbenchSession;
let page: Page;
let panel: Frame;
beforeAll(async () => {
  hub = await startTinyHub();
  hub.holdAt.set('model.safetensors', 1_000_000);
  session = await startWorkbench({ env: hub.env });
  page = await session.open();
  panel = await openSidebar(page);
  await page.locator('.pane-header').filter({ hasText: 'Models And Adapters' }).click();
});
afterAll(async () => {
  await session?.close();
  await hub?.close();
});

const pulling = () => page.locator('.notification-toast').filter({ hasText: 'Pulling org/model' });
const inTree = () => page.locator('.pane-body .monaco-list-row').filter({ hasText: /org\/model.*llama/ });
const weights = () => join(hub.folder, 'hub/models--org--model/snapshots', commit, 'model.safetensors');
const transfers = () => hub.requests.filter(request => request.includes('/model.safetensors'));

async function pull(): Promise<void> {
  await runCommand(page, 'Tunewright: Pull Model');
  const input = page.locator('.quick-input-widget').filter({ hasText: 'Choose a Hugging Face Model' }).locator('input');
  await input.fill('org/model');
  await input.press('Enter');
}

test('a pull shows its progress; cancelled, it leaves no model', async () => {
  await pull();
  await pulling().filter({ hasText: 'model.safetensors, 1 MB of' }).waitFor();
  await session.shot(page, 'pulling');
  await pulling().hover();
  await pulling().getByRole('button', { name: 'Cancel' }).click();
  await pulling().waitFor({ state: 'detached' });
  expect(existsSync(weights())).toBe(false);
  expect(await inTree().count()).toBe(0);
});

test('the next pull resumes, and the model is listed', async () => {
  hub.holdAt.clear();
  await pull();
  await inTree().waitFor();
  expect(readFileSync(weights()).equals(readFileSync(join(tinyFolder, 'model.safetensors')))).toBe(true);
  expect(transfers().at(-1)).toContain('bytes=1000000-');
  await session.shot(page, 'pulled');
});

test('the form and the picker offer it as well', async () => {
  await until('the form to offer it', async () => {
    await panel.getByRole('combobox', { name: 'Model', exact: true }).click();
    const offered = await panel.getByRole('option', { name: 'org/model' }).count();
    await page.keyboard.press('Escape');
    return offered > 0;
  });
  await runCommand(page, 'Tunewright: Fine-Tune a Model');
  await pick(page, 'org/model');
  await page.locator('.quick-input-widget').filter({ hasText: 'Dataset' }).waitFor();
  await page.keyboard.press('Escape');
});

test('no request left this machine', () => expect(session.browser.outside).toEqual([]));
