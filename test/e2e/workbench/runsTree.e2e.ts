// The Runs view in a real workbench, over recorded runs: what it says of each, its groups, what can be done with which run, and
// that nothing is deleted unasked. Nothing trains here.
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Frame, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  chooseInMenu,
  contextMenu,
  fileDialog,
  openSidebar,
  pick,
  runCommand,
  until,
  webview,
} from '../../integration/support/workbenchPage.js';
import { startWorkbench, type WorkbenchSession } from './session.js';

const recordings = new URL('../../fixtures/runs/', import.meta.url).pathname;

let session: WorkbenchSession;
let page: Page;
let panel: Frame;
beforeAll(async () => {
  session = await startWorkbench();
  addRun('pirate-lora', 'LORA', 'datasets/pirate.messages.jsonl');
  addRun('pirate-prompt', 'PROMPT_TUNING', 'datasets/pirate.messages.jsonl');
  addRun('diverged', 'LORA', 'datasets/facts.csv');
  page = await session.open();
  panel = await openSidebar(page);
});
afterAll(() => session?.close());

const runFolder = (name: string) => join(session.workspace, 'runs', `${name}-20260101-000000`);
function addRun(name: string, peft_type: string, train: string, recording = name): void {
  mkdirSync(join(runFolder(name), 'adapter'), { recursive: true });
  copyFileSync(join(recordings, `${recording}.ndjson`), join(runFolder(name), 'events.ndjson'));
  const dataset = { train: join(session.workspace, train) };
  const config = { name, model: 'embedded:tiny', dataset, method: { peft_type } };
  writeFileSync(join(runFolder(name), 'run.json'), JSON.stringify(config));
}

const row = (text: string | RegExp) => page.locator('.pane-body .monaco-list-row').filter({ hasText: text }).first();

test('each run says how it ended, its loss and how long it took', async () => {
  await row(/pirate-lora.*loss \d\.\d{3} · \d+:\d\d/).waitFor();
  await row(/diverged/).waitFor();
  expect(await row(/diverged/).getAttribute('aria-label')).toMatch(/Failed/);
  expect(await row(/pirate-lora/).getAttribute('aria-label')).toMatch(/Completed/);
});

test('runs are grouped by their dataset and by their model', async () => {
  const header = page.locator('.pane-header').filter({ hasText: /^Runs/ });
  for (const [title, groups] of [
    ['Group Runs by Dataset', [/pirate\.messages\.jsonl.*2/, /facts\.csv.*1/]],
    ['Group Runs by Model', [/embedded:tiny.*3/]],
  ] as const) {
    await chooseInMenu(header, title, async () => {
      await header.hover();
      await header.getByRole('button', { name: /More Actions/ }).click({ timeout: 1_000 });
    });
    for (const group of groups) await row(group).waitFor();
  }
  await session.shot(page, 'runs-grouped');
});

test('a run offers what can be done with what it has made', async () => {
  // Which methods can be merged is the engine's to say; the first menu may come before its answer.
  let offered: string[] = [];
  await until('Merge to be offered', async () => {
    offered = await contextMenu(row(/pirate-lora/));
    return offered.includes('Merge Adapter into Model...');
  });
  expect(offered).toEqual(
    expect.arrayContaining(['Open Dashboard', 'Try Adapter...', 'Export Adapter to GGUF or MLX...']),
  );
  expect(offered).not.toContain('Stop Run');
  const prompt = await contextMenu(row(/pirate-prompt/));
  expect(prompt).toContain('Try Adapter...');
  expect(prompt.filter(title => /Merge|Export/.test(title))).toEqual([]);
  const failed = await contextMenu(row(/diverged/));
  expect(failed).toContain('Resume Run');
  expect(failed).not.toContain('Try Adapter...');
});

test('runs are compared by the palette: those that are picked stand in one dashboard', async () => {
  await runCommand(page, 'Tunewright: Compare Runs');
  const picks = page.locator('.quick-input-list .monaco-list-row');
  for (const name of ['pirate-lora', 'pirate-prompt']) await picks.filter({ hasText: name }).click();
  await page.keyboard.press('Enter');
  const dashboard = await webview(page, '.dashboard .overlays li');
  await expect.poll(() => dashboard.locator('.overlays li').count()).toBe(2);
  await page.locator('.tab').filter({ hasText: 'and 1 more' }).waitFor();
  const loss = dashboard.locator('.chart', { has: dashboard.getByRole('heading', { name: 'Loss', exact: true }) });
  for (const name of ['pirate-lora', 'pirate-prompt']) await loss.getByText(`${name} validation`).waitFor();
  await session.shot(page, 'compare');
});

test('a run is deleted once that was confirmed', async () => {
  const dialog = page.locator('.monaco-dialog-box').filter({ hasText: 'Delete the run “diverged”' });
  for (const answer of ['Cancel', 'Delete']) {
    await chooseInMenu(row(/diverged/), 'Delete Run...');
    await dialog.waitFor();
    await dialog.getByRole('button', { name: answer }).click();
    await dialog.waitFor({ state: 'detached' });
    if (answer === 'Cancel') expect(existsSync(runFolder('diverged'))).toBe(true);
  }
  await row(/diverged/).waitFor({ state: 'detached' });
  expect(existsSync(runFolder('diverged'))).toBe(false);
});

test('a run is duplicated into the run panel, with its options', async () => {
  await chooseInMenu(row(/pirate-prompt/), 'Duplicate Run...');
  await pick(page, 'Change in Run Panel');
  await panel.locator('.card[data-method="PROMPT_TUNING"][aria-checked="true"]').waitFor();
});

test('a run is saved as a run file', async () => {
  await chooseInMenu(row(/pirate-prompt/), 'Duplicate Run...');
  await pick(page, 'Save as Run File...');
  const target = join(session.workspace, 'again.tune.json');
  await fileDialog(page, 'Save Run File', target);
  await page.locator('.tab.active').filter({ hasText: 'again.tune.json' }).waitFor();
  const { dataset, method } = JSON.parse(readFileSync(target, 'utf8'));
  expect({ dataset, method }).toEqual({
    dataset: { train: 'datasets/pirate.messages.jsonl' },
    method: { peft_type: 'PROMPT_TUNING' },
  });
});

async function select(...runs: RegExp[]): Promise<void> {
  for (const [index, run] of runs.entries()) await row(run).click({ modifiers: index === 0 ? [] : ['ControlOrMeta'] });
}

test('runs that are selected together are compared in one dashboard', async () => {
  await select(/pirate-lora/, /pirate-prompt/);
  await chooseInMenu(row(/pirate-prompt/), 'Compare Runs');
  const dashboard = await webview(page, '.overlays li >> nth=1');
  const shown = await dashboard.locator('.overlays li').allInnerTexts();
  expect(shown.map(text => /pirate-\w+/.exec(text)?.[0]).toSorted()).toEqual(['pirate-lora', 'pirate-prompt']);
  await session.shot(page, 'runs-compared');
});

test('runs that are selected together are deleted together, once that was confirmed', async () => {
  addRun('spare-one', 'LORA', 'datasets/facts.csv', 'diverged');
  addRun('spare-two', 'LORA', 'datasets/facts.csv', 'diverged');
  await row(/spare-one/).waitFor();
  await row(/spare-two/).waitFor();
  const dialog = page.locator('.monaco-dialog-box').filter({ hasText: 'Delete 2 runs' });
  for (const answer of ['Cancel', 'Delete']) {
    await select(/spare-one/, /spare-two/);
    await chooseInMenu(row(/spare-two/), 'Delete Run...');
    await dialog.waitFor();
    for (const name of ['spare-one', 'spare-two']) expect(await dialog.innerText()).toContain(runFolder(name));
    await dialog.getByRole('button', { name: answer }).click();
    await dialog.waitFor({ state: 'detached' });
    if (answer === 'Cancel') expect(existsSync(runFolder('spare-one'))).toBe(true);
  }
  await row(/spare-/).waitFor({ state: 'detached' });
  for (const name of ['spare-one', 'spare-two']) expect(existsSync(runFolder(name))).toBe(false);
  expect(existsSync(runFolder('pirate-lora'))).toBe(true);
});

test('a run’s folder is shown in the explorer', async () => {
  // Where this is tried again, the explorer stands in its place.
  await runCommand(page, 'Focus on Runs View');
  // Selected first: VS Code takes a menu for that of several rows while the deleted ones were its selection.
  await row(/pirate-lora/).click();
  // It opens the dashboard, which takes the focus when it has loaded: only then is there rest.
  await page
    .locator('.tab.active')
    .filter({ hasText: /^pirate-lora$/ })
    .waitFor();
  await chooseInMenu(row(/pirate-lora/), 'Reveal Run Folder');
  const selected = page.locator('.explorer-folders-view .monaco-list-row.selected').filter({ hasText: 'run.json' });
  await selected.waitFor();
});
