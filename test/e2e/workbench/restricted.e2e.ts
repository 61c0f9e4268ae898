// Restricted Mode: previews work, nothing is trained or executed, and the views say what to do.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { offeredCommands, openFile, openSidebar, webview } from '../../integration/support/workbenchPage.js';
import { startWorkbench, type WorkbenchSession } from './session.js';

let session: WorkbenchSession;
let page: Page;
/** What a hostile workspace brings: settings, links to a file of the user and to an endless device, and the pid of a process. */
let precious: string;
let victim: ChildProcess;

function layTraps(workspace: string): void {
  const runs = join(workspace, 'runs');
  for (const name of ['evil', 'endless']) mkdirSync(join(runs, name), { recursive: true });
  mkdirSync(join(workspace, '.vscode'));
  const write = (path: string, value: unknown) => writeFileSync(path, JSON.stringify(value));
  write(join(workspace, '.vscode', 'settings.json'), { 'tunewright.onWindowClose': 'stop' });
  write(join(runs, 'evil', 'run.json'), { name: 'evil' });
  victim = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 1e9)', 'tunewright', 'train']);
  write(join(runs, 'evil', 'process.json'), { pid: victim.pid, started: '2099-01-01T00:00:00.000Z' });
  precious = join(workspace, '..', 'precious');
  writeFileSync(precious, 'precious');
  for (const name of ['attended.json', 'commands.ndjson']) symlinkSync(precious, join(runs, 'evil', name));
  for (const name of ['run.json', 'process.json', 'engine.log', 'events.ndjson'])
    symlinkSync('/dev/zero', join(runs, 'endless', name));
}

beforeAll(async () => {
  session = await startWorkbench({ workspaceTrust: true });
  layTraps(session.workspace);
  page = await session.open();
  const dialog = page.locator('.monaco-dialog-box');
  await dialog.locator('.monaco-button').filter({ hasText: /^No/ }).first().click();
});
afterAll(async () => {
  victim?.kill('SIGKILL');
  await session?.close();
});

test('the views ask to trust the workspace', async () => {
  const panel = await openSidebar(page);
  await panel.getByText('Restricted Mode: trust this workspace').waitFor();
  expect(await panel.getByRole('button', { name: 'Start Fine-Tuning' }).isEnabled()).toBe(false);
  // The view of runs shows them, and says why they can't be controlled.
  await page.getByText('Restricted Mode: runs can be viewed').waitFor();
  await page.locator('.monaco-list-row').filter({ hasText: 'evil' }).first().waitFor();
  await session.shot(page, 'restricted');
});

test('the palette offers nothing that trains', async () => {
  const offered = (await offeredCommands(page, 'Tunewright: ', 'Preview Dataset')).join('\n');
  for (const command of ['Fine-Tune', 'Start Run', 'Pull Model', 'Install Training Engine', 'Stop Run', 'Delete Run'])
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
});

test('the run panel links to Workspace Trust', async () => {
  const panel = await webview(page, '.cards');
  await panel.getByRole('link', { name: 'Manage Workspace Trust' }).click();
  await page.locator('.workspace-trust-header').filter({ hasText: 'Restricted Mode' }).waitFor();
  await session.shot(page, 'restricted-trust');
});

test('once the workspace is trusted, the views are live without a reload, and the traps catch nothing', async () => {
  await page.getByRole('button', { name: 'Trust', exact: true }).first().click();
  await page.locator('.monaco-modal-editor-block .action-label[aria-label^="Close"]').first().click();
  await page.locator('.monaco-modal-editor-block').waitFor({ state: 'hidden' });
  const panel = await webview(page, '.cards');
  await panel.getByText('Restricted Mode: trust this workspace').waitFor({ state: 'hidden' });
  await expect.poll(() => page.getByText('Restricted Mode: runs can be viewed').count(), { timeout: 60_000 }).toBe(0);
  await offeredCommands(page, 'Tunewright: Delete Run', 'Delete Run');
  expect(readFileSync(precious, 'utf8')).toBe('precious');
  expect(readdirSync(join(session.workspace, 'runs')).toSorted()).toEqual(['endless', 'evil']);
  expect([victim.exitCode, victim.signalCode]).toEqual([null, null]);
  await session.shot(page, 'trusted-afterwards');
});
