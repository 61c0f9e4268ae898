// Runs and windows, in a real workbench with the packaged extension: the question whether to keep training when the
// window closes, a second window that follows and controls the same run, a later one that shows it again, and a run
// that ends with its window.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  launchBrowser,
  openFile,
  openSidebar,
  runCommand,
  until,
  webview,
  type BrowserSession,
} from '../../integration/support/workbenchPage.js';
import { startWorkbench, type WorkbenchSession } from './session.js';

let session: WorkbenchSession;
let first: Page;
let second: Page;
let elsewhere: BrowserSession;
beforeAll(async () => {
  session = await startWorkbench({ settings: { 'tunewright.onWindowClose': 'ask' } });
  for (const name of ['long', 'next'])
    writeFileSync(
      join(session.workspace, `${name}.tune.json`),
      JSON.stringify({
        name,
        model: 'embedded:tiny',
        dataset: { train: 'datasets/pirate.messages.jsonl', max_length: 64 },
        method: { peft_type: 'LORA', r: 2 },
        // More than any test waits for.
        training: { max_steps: 100_000, per_device_train_batch_size: 1, logging_steps: 1 },
      }),
    );
  first = await session.open();
  elsewhere = await launchBrowser();
});
afterAll(async () => {
  await elsewhere?.close();
  await session?.close();
});

const statusItem = (page: Page, text: string | RegExp) => page.locator('.statusbar-item').filter({ hasText: text });
const row = (page: Page, text: string | RegExp) =>
  page.locator('.pane-body .monaco-list-row').filter({ hasText: text }).first();
const question = (page: Page) =>
  page.locator('.notification-list-item').filter({ hasText: 'Keep training when you close this window?' });
const onWindowClose = () =>
  JSON.parse(readFileSync(session.settingsFile, 'utf8'))['tunewright.onWindowClose'] as string;

async function start(page: Page, name: string): Promise<void> {
  await openFile(page, `${name}.tune.json`);
  await page
    .locator('.tab.active')
    .filter({ hasText: `${name}.tune.json` })
    .waitFor();
  await runCommand(page, 'Tunewright: Start Run from File');
  await statusItem(page, new RegExp(`${name}: step`)).waitFor();
}

/** The folder of the run with this name. */
function runFolder(name: string) {
  const runs = join(session.workspace, 'runs');
  const entry = readdirSync(runs).find(each => each.includes(name));
  if (!entry) throw new Error(`there is no run called ${name}`);
  const folder = join(runs, entry);
  return {
    /** When a window last marked the run; 0 if it outlives its windows. */
    attendedMs: () => statSync(join(folder, 'attended.json'), { throwIfNoEntry: false })?.mtimeMs ?? 0,
    text: () => readFileSync(join(folder, 'events.ndjson'), 'utf8'),
    alive: () => existsSync(join(folder, 'process.json')),
    steps: () => readFileSync(join(folder, 'events.ndjson'), 'utf8').split('"type":"step"').length - 1,
    lastEvent: () => JSON.parse(readFileSync(join(folder, 'events.ndjson'), 'utf8').trim().split('\n').at(-1)!),
  };
}

test('the first run asks whether to keep training when the window closes, and keeps the answer', async () => {
  await start(first, 'long');
  await question(first).waitFor();
  await session.shot(first, 'window-close');
  await question(first).getByRole('button', { name: 'Keep Training' }).click();
  await expect.poll(onWindowClose).toBe('keepRunning');
});

test('another window follows and controls the same run', async () => {
  second = await session.open(elsewhere);
  await openSidebar(second);
  await row(second, /long/).waitFor();
  await statusItem(second, /long: step/).waitFor();
  await runCommand(second, 'Tunewright: Open Dashboard');
  const dashboard = await webview(second, '.dashboard .chart canvas');
  const drawn = () => dashboard.getByRole('img', { name: /^Loss/ }).getAttribute('aria-label');
  const before = await drawn();
  await expect.poll(drawn).not.toBe(before);
  await session.shot(second, 'second-window');
  await runCommand(second, 'Tunewright: Pause Run');
  await dashboard.locator('.status[data-status="paused"]').waitFor();
  await statusItem(first, /long: .*paused/).waitFor();
  await runCommand(first, 'Tunewright: Resume Run');
  await dashboard.locator('.status[data-status="running"]').waitFor();
});

test('it outlives its windows, and a later one shows it again', async () => {
  await first.close();
  await second.close();
  const run = runFolder('long');
  const steps = run.steps();
  await until('steps while no window is open', async () => run.steps() > steps + 5);
  first = await session.open();
  await statusItem(first, /long: step/).waitFor();
  await runCommand(first, 'Tunewright: Stop Run');
  await until('the end of the run', async () => !run.alive());
  expect(run.lastEvent()).toMatchObject({ type: 'completed', reason: 'stopped' });
});

test('does not ask twice', async () => {
  await start(first, 'next');
  const run = runFolder('next');
  await until('steps', async () => run.steps() > 2);
  expect(await question(first).count()).toBe(0);
});

test('a run that ends with its window survives a reload', async () => {
  // The workspace's settings: code-server was not seen to notice a change of the user's from outside.
  mkdirSync(join(session.workspace, '.vscode'), { recursive: true });
  writeFileSync(join(session.workspace, '.vscode/settings.json'), '{ "tunewright.onWindowClose": "stop" }');
  const run = runFolder('next');
  await until('the window to mark the run', async () => run.attendedMs() > 0);
  await first.reload();
  await statusItem(first, /next: step/).waitFor();
  const reloaded = Date.now();
  await until('the window to mark it again', async () => run.attendedMs() > reloaded);
  expect(run.alive()).toBe(true);
});

test('and ends when that is closed, with its adapter', async () => {
  const run = runFolder('next');
  await first.close();
  await until('the end of the run', async () => !run.alive(), 240_000);
  expect(run.lastEvent()).toMatchObject({ type: 'completed', reason: 'stopped' });
  expect(run.text()).toContain('"code":"window_closed"');
});
