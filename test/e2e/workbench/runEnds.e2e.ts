// How a run ends, in a real workbench with the packaged extension: a run that fails says why in its dashboard and leads
// to the place; one that finishes says so wherever the user is, and leads to its uses; so does a merged model.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  fileDialog,
  openFile,
  openSidebar,
  pick,
  runCommand,
  webview,
} from '../../integration/support/workbenchPage.js';
import { startWorkbench, TRAINING_MS, type WorkbenchSession } from './session.js';

let session: WorkbenchSession;
let page: Page;
beforeAll(async () => {
  session = await startWorkbench();
  const write = (name: string, method: object) =>
    writeFileSync(
      join(session.workspace, `${name}.tune.json`),
      JSON.stringify({
        name,
        model: 'embedded:tiny',
        dataset: { train: 'datasets/pirate.messages.jsonl', max_length: 64, validation: 0.1 },
        method: { peft_type: 'LORA', r: 2, ...method },
        training: { max_steps: 3, per_device_train_batch_size: 2, eval_steps: 3 },
      }),
    );
  write('brief', {});
  write('wrong', { target_modules: ['no_such_module'] });
  addFailedRun();
  page = await session.open();
  await openSidebar(page);
});
afterAll(() => session?.close());

/** A run that failed at a line of its dataset, as the engine writes it. */
function addFailedRun(): void {
  const folder = join(session.workspace, 'runs/facts-20260101-000000');
  const train = join(session.workspace, 'datasets/facts.csv');
  const failed = {
    ...{ seq: 0, time: '2026-01-01T00:00:00.000Z', type: 'failed', step: 0, code: 'bad_input' },
    ...{ message: 'the row has no answer', file: train, line: 12, last_checkpoint: null },
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'events.ndjson'), `${JSON.stringify(failed)}\n`);
  writeFileSync(join(folder, 'engine.log'), `reading ${train}\n${train}:12: the row has no answer\n`);
  const config = { name: 'facts', model: 'embedded:tiny', dataset: { train }, method: { peft_type: 'LORA' } };
  writeFileSync(join(folder, 'run.json'), JSON.stringify(config, null, 2));
}

const row = (text: string | RegExp) => page.locator('.pane-body .monaco-list-row').filter({ hasText: text }).first();
const notification = (text: string | RegExp) =>
  page.locator('.notification-list-item').filter({ hasText: text }).first();
const buttonsOf = (item: Locator) =>
  item.locator('.notification-list-item-buttons-container .monaco-button').allInnerTexts();
const activeTab = (text: string | RegExp) => page.locator('.tab.active').filter({ hasText: text });
const runFile = (name: string) => readFileSync(join(session.workspace, `${name}.tune.json`), 'utf8');

async function start(name: string): Promise<void> {
  await openFile(page, `${name}.tune.json`);
  await activeTab(`${name}.tune.json`).waitFor();
  await runCommand(page, 'Tunewright: Start Run from File');
}

test('a failed run shows why, the end of its log, and opens the line', async () => {
  await row(/facts.*Failed/).click();
  const dashboard = await webview(page, '.failure:not([hidden])');
  const reason = await dashboard.locator('.failure').innerText();
  expect(reason).toMatch(/the row has no answer.*Open line 12 of facts\.csv.*reading .*facts\.csv/s);
  expect(await dashboard.locator('.chart:visible').count()).toBe(0);
  expect(await dashboard.locator('.failure vscode-button').allInnerTexts()).toEqual([
    'Edit in Run Panel',
    'Edit Run File',
    'Start Again',
  ]);
  await session.shot(page, 'failed-run');
  await dashboard.getByRole('link', { name: 'Open line 12 of facts.csv' }).click();
  await activeTab('facts.csv').waitFor();
  await page.locator('.statusbar-item').filter({ hasText: 'Ln 12, Col 1' }).waitFor();
  await row(/facts/).click();
  await (await webview(page, '.failure:not([hidden])')).getByRole('link', { name: 'Open Log' }).click();
  await activeTab('engine.log').waitFor();
  await runCommand(page, 'View: Close All Editors');
});

test('a run that can’t start leads from its dashboard to the key of its run file', async () => {
  await start('wrong');
  const dashboard = await webview(page, '.failure:not([hidden])');
  const failure = dashboard.locator('.failure');
  expect(await failure.innerText()).toMatch(/no_such_module/);
  await failure.getByRole('button', { name: 'Edit Run File' }).click();
  await activeTab('run.json').waitFor();
  await page
    .locator('.statusbar-item')
    .filter({ hasText: /\(\d+ selected\)/ })
    .waitFor();
  expect(runFile('wrong')).toContain('no_such_module');
  await runCommand(page, 'View: Close All Editors');
});

test('a finished run says so over any editor, and offers its uses', async () => {
  await start('brief');
  await (await webview(page, '.dashboard .status')).locator('.status').waitFor();
  await runCommand(page, 'View: Close All Editors');
  const finished = notification(/brief has finished: validation loss \d\.\d{3} at step 3\./);
  await finished.waitFor({ timeout: TRAINING_MS });
  expect(await buttonsOf(finished)).toEqual(['Try It', 'Merge...', 'Export...', 'Train Further...']);
  await session.shot(page, 'finished-run');
  await row(/brief.*val loss \d\.\d{3}/).waitFor();
});

test('a merged model says where it is, and can be tried', async () => {
  await notification(/brief has finished/)
    .getByRole('button', { name: 'Merge...' })
    .click();
  await fileDialog(page, 'Merge Here', session.workspace);
  const merged = notification(/brief is merged into embedded:tiny\. The new model is in brief-merged\./);
  await merged.waitFor({ timeout: TRAINING_MS });
  expect(await buttonsOf(merged)).toEqual(['Try It', 'Use as Base', 'Show in Explorer']);
  await session.shot(page, 'merged');
  expect(existsSync(join(session.workspace, 'brief-merged/model.safetensors'))).toBe(true);
  await merged.getByRole('button', { name: 'Show in Explorer' }).click();
  await page.locator('.explorer-folders-view .monaco-list-row.selected').filter({ hasText: 'brief-merged' }).waitFor();
  await runCommand(page, 'Tunewright: Merge Adapter into Model');
  await fileDialog(page, 'Merge Here', join(session.workspace, 'examples'));
  const again = notification(/The new model is in examples\/brief-merged\./);
  await again.getByRole('button', { name: 'Try It' }).click({ timeout: TRAINING_MS });
  const playground = await webview(page, '.column-head');
  await playground.getByRole('heading', { name: 'brief-merged' }).waitFor();
  await playground.getByRole('textbox', { name: 'Message to all columns' }).fill('What is rain?');
  await playground.getByRole('textbox', { name: 'Message to all columns' }).press('Enter');
  await expect.poll(() => playground.locator('.answer[data-status="done"]').count(), { timeout: TRAINING_MS }).toBe(2);
});

test('the dashboard of a finished run offers the same, and reveals its folder in a browser', async () => {
  await runCommand(page, 'Tunewright: Open Dashboard');
  await pick(page, /brief.*Completed/);
  const dashboard = await webview(page, '.status[data-status="completed"]');
  const use = dashboard.getByRole('group', { name: 'Use the result' });
  expect(await use.locator('vscode-button').allInnerTexts()).toEqual([
    'Try It',
    'Evaluate...',
    'Rows by Loss',
    'Merge...',
    'Export...',
    'Train Further...',
    'Serve',
  ]);
  await use.getByRole('button', { name: 'Merge...' }).click();
  await fileDialog(page, 'Merge Here', join(session.workspace, 'datasets'));
  const merged = notification(/The new model is in datasets\/brief-merged\./);
  await merged.getByRole('button', { name: 'Use as Base' }).click({ timeout: TRAINING_MS });
  await page.locator('.quick-input-widget').filter({ hasText: 'Fine-Tune a Model' }).waitFor();
  await page.keyboard.press('Escape');
  await dashboard.getByRole('button', { name: 'Reveal Run Folder' }).click();
  await page.locator('.explorer-folders-view .monaco-list-row.selected').filter({ hasText: 'run.json' }).waitFor();
});

test('no request left this machine', () => expect(session.browser.outside).toEqual([]));
