// Estimates of run files from the palette, in a real workbench with the packaged extension: a dialog with parameters,
// memory and time, or an offer to pull a missing model. The hub is a server on loopback.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFile, pick, runCommand } from '../../integration/support/workbenchPage.js';
import { startTinyHub, type TinyHub } from '../../support/hubServer.js';
import { startWorkbench, type WorkbenchSession } from './session.js';

let hub: TinyHub;
let session: WorkbenchSession;
let page: Page;
beforeAll(async () => {
  hub = await startTinyHub();
  session = await startWorkbench({ env: hub.env });
  const run = JSON.parse(readFileSync(join(session.workspace, 'examples/pirate.tune.json'), 'utf8'));
  writeFileSync(join(session.workspace, 'examples/absent.tune.json'), JSON.stringify({ ...run, model: 'org/model' }));
  page = await session.open();
});
afterAll(async () => {
  await session?.close();
  await hub?.close();
});

const dialog = () => page.locator('.monaco-dialog-box');
const button = (name: string) => dialog().locator('.monaco-button').filter({ hasText: name });
const offer = () => page.locator('.notification-toast').filter({ hasText: 'is not on this machine' });

async function expectEstimate(file: string): Promise<void> {
  await dialog().getByText(`LoRA for examples/${file}`).waitFor();
  const text = await dialog().innerText();
  expect(text).toMatch(/115,840 of 1,866,080 parameters are trained \(6\.21%\)/);
  expect(text).toMatch(/A step takes about \d+ MB of memory; [\d.]+ [GM]B is free on this machine/);
  expect(text).toMatch(/Full fine-tuning would take \d+ MB/);
  expect(text).toMatch(/steps of \d/);
  await button('Start Run').waitFor();
}

test('asks which of several run files; the embedded model needs no download', async () => {
  await runCommand(page, 'Tunewright: Estimate Memory and Parameters');
  await pick(page, 'examples/pirate.tune.json');
  await expectEstimate('pirate.tune.json');
  await session.shot(page, 'estimate');
  await button('Cancel').click();
  await dialog().waitFor({ state: 'hidden' });
  expect(hub.requests).toEqual([]);
});

test('a missing model has no estimate, and nothing is requested before Pull Model is chosen', async () => {
  await openFile(page, 'absent.tune.json');
  await runCommand(page, 'Tunewright: Estimate Memory and Parameters');
  await offer().getByText('org/model is not on this machine, so there is no estimate.').waitFor();
  await session.shot(page, 'estimate-absent');
  expect(hub.requests).toEqual([]);
  await offer().getByRole('button', { name: 'Pull Model' }).click();
  await expectEstimate('absent.tune.json');
  expect(hub.requests.some(request => request.includes('/model.safetensors'))).toBe(true);
  await button('Cancel').click();
});

test('no request left this machine', () => expect(session.browser.outside).toEqual([]));
