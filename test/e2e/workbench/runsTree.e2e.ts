// The Runs view in a real workbench, on recorded runs: descriptions, groups, the commands on each run, and that
// deleting asks for confirmation. Nothing is trained here.
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
  addCheckpoint('diverged');
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

function addCheckpoint(name: string): void {
  const checkpoint = join(runFolder(name), 'checkpoints/step-2');
  mkdirSync(checkpoint, { recursive: true });
  writeFileSync(join(checkpoint, 'state.json'), '{}');
}

const row = (text: string | RegExp) => page.locator('.pane-body .monaco-list-row').filter({ hasText: text }).first();

test('each run shows its status, loss and duration', async () => {
  await row(/pirate-lora.*val loss 0\.931 · \d+:\d\d/).waitFor();
  await row(/diverged/).waitFor();
  expect(await row(/diverged/).getAttribute('aria-label')).toMatch(/Failed/);
  expect(await row(/pirate-lora/).getAttribute('aria-label')).toMatch(/Completed/);
});

test('runs are grouped by dataset and by model', async () => {
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

test('a run offers the commands that fit its result', async () => {
  const offered = await contextMenu(row(/pirate-lora/));
  const forResult = ['Open Playground', 'Merge Adapter into Model...', 'Export...'];
  expect(offered).toEqual(expect.arrayContaining(['Open Dashboard', ...forResult]));
  expect(offered).not.toContain('Stop Run');
  const prompt = await contextMenu(row(/pirate-prompt/));
  expect(prompt).toContain('Open Playground');
  // The Export view says why it can't be merged, and what works.
  expect(prompt.filter(title => /Merge|Export/.test(title))).toEqual(['Export...']);
  const failed = await contextMenu(row(/diverged/));
  expect(failed).toContain('Resume Run');
  expect(failed).toContain('Start Run Again');
  expect(failed).not.toContain('Open Playground');
});

test('a failed run without a checkpoint is started again, not resumed', async () => {
  addRun('lost', 'LORA', 'datasets/facts.csv', 'diverged');
  await row(/lost/).waitFor();
  const offered = await contextMenu(row(/lost/));
  expect(offered).toContain('Start Run Again');
  expect(offered).not.toContain('Resume Run');
  rmSync(runFolder('lost'), { recursive: true });
  await row(/lost/).waitFor({ state: 'detached' });
});

test('runs of one name are told apart by time and options in rows, tabs and Compare', async () => {
  const config = JSON.parse(readFileSync(join(runFolder('pirate-lora'), 'run.json'), 'utf8'));
  const twin = join(session.workspace, 'runs/pirate-lora-20260102-000000');
  cpSync(runFolder('pirate-lora'), twin, { recursive: true });
  writeFileSync(join(twin, 'run.json'), JSON.stringify({ ...config, method: { peft_type: 'FULL' } }));
  const rows = page.locator('.pane-body .monaco-list-row').filter({ hasText: /pirate-lora/ });
  await rows.filter({ hasText: / FULL/ }).waitFor();
  const labels = await rows.allInnerTexts();
  expect(labels.map(text => /\d+ \w{3} \d\d:\d\d(?::\d\d)?, (\w+)/.exec(text)?.[1]).toSorted()).toEqual([
    'FULL',
    'LORA',
  ]);
  await rows.filter({ hasText: / FULL/ }).click();
  await page
    .locator('.tab.active')
    .filter({ hasText: /pirate-lora · \d+ \w{3} \d\d:\d\d/ })
    .waitFor();
  const dashboard = await webview(page, '.dashboard .chart canvas');
  await dashboard.getByRole('combobox', { name: 'Compare with' }).click();
  await dashboard.getByRole('option', { name: /^pirate-lora \(.*, LORA\)$/ }).waitFor();
  await session.shot(page, 'same-names');
  await page.keyboard.press('Escape');
  await runCommand(page, 'View: Close All Editors');
  rmSync(twin, { recursive: true });
  await rows.nth(1).waitFor({ state: 'detached' });
});

test('runs chosen in the palette are compared in one dashboard', async () => {
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

test('a run is deleted after confirmation', async () => {
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
  await pick(page, 'Edit in Run Panel');
  await panel.locator('.card[data-key="PROMPT_TUNING"][aria-checked="true"]').waitFor();
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

test('selected runs are compared in one dashboard', async () => {
  await select(/pirate-lora/, /pirate-prompt/);
  await chooseInMenu(row(/pirate-prompt/), 'Compare Runs');
  const dashboard = await webview(page, '.overlays li >> nth=1');
  const shown = await dashboard.locator('.overlays li').allInnerTexts();
  expect(shown.map(text => /pirate-\w+/.exec(text)?.[0]).toSorted()).toEqual(['pirate-lora', 'pirate-prompt']);
  await session.shot(page, 'runs-compared');
});

test('selected runs are deleted together after confirmation', async () => {
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

test('a run’s folder is revealed in the Explorer', async () => {
  await runCommand(page, 'Focus on Runs View');
  // Selected first, since VS Code opens the menu of several rows while deleted ones are still selected.
  await row(/pirate-lora/).click();
  // This opens the dashboard, which takes the focus once it has loaded.
  await page
    .locator('.tab.active')
    .filter({ hasText: /^pirate-lora$/ })
    .waitFor();
  await chooseInMenu(row(/pirate-lora/), 'Reveal Run Folder');
  const selected = page.locator('.explorer-folders-view .monaco-list-row.selected').filter({ hasText: 'run.json' });
  await selected.waitFor();
});
