// The packaged extension on a machine without the training engine: the first run installs it, and a cancellation leaves
// nothing behind. With TUNEWRIGHT_TEST_INSTALL it is installed for real (274 MB) and the run trains to its end.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCommand, until } from '../../integration/support/workbenchPage.js';
import { startWorkbench, type WorkbenchSession } from './session.js';

const forReal = process.env['TUNEWRIGHT_TEST_INSTALL'];
const INSTALL_MS = 600_000;

let session: WorkbenchSession;
let page: Page;
beforeAll(async () => {
  session = await startWorkbench({ emptyCache: true });
  page = await session.open();
});
afterAll(() => session?.close());

const installing = () => page.locator('.notification-toast').filter({ hasText: 'Installing the training engine' });
const cache = () => join(session.workspace, '../cache');
const runs = () => {
  const folder = join(session.workspace, 'runs');
  return existsSync(folder) ? readdirSync(folder) : [];
};

test('a first run installs the engine with progress; cancelled, it starts nothing and leaves nothing', async () => {
  await runCommand(page, 'Tunewright: Start Run from File');
  await installing().waitFor();
  await session.shot(page, 'installing');
  await installing().hover();
  await installing().getByRole('button', { name: 'Cancel' }).click();
  await installing().waitFor({ state: 'detached' });
  expect(runs()).toEqual([]);
  const libraries = () => {
    const engines = join(cache(), 'engine');
    return existsSync(engines) ? readdirSync(engines).filter(name => name.startsWith('tensorflow-')) : [];
  };
  await until('the partial installation to be removed', async () => libraries().length === 0);
});

test.runIf(forReal)(
  'installed, the run trains and leaves an adapter',
  async () => {
    const began = Date.now();
    await runCommand(page, 'Tunewright: Start Run from File');
    await installing().filter({ hasText: 'Downloading TensorFlow' }).waitFor();
    await installing().waitFor({ state: 'detached', timeout: INSTALL_MS });
    const installMs = Date.now() - began;
    const adapter = () => runs().some(run => existsSync(join(session.workspace, 'runs', run, 'adapter')));
    await until('an adapter', async () => adapter(), 240_000);
    console.log({ installMs, trainedMs: Date.now() - began });
  },
  INSTALL_MS + 300_000,
);
