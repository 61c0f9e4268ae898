// From the form in the sidebar to a dashboard whose charts move, in a real workbench with the packaged extension.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Frame, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  fileDialog,
  offeredCommands,
  openSidebar,
  pick,
  runCommand,
  until,
  webview,
} from '../../integration/support/workbenchPage.js';
import { expectAccessible } from '../webviews/accessibility.js';
import { startWorkbench, TRAINING_MS, type WorkbenchSession } from './session.js';

let session: WorkbenchSession;
let page: Page;
let panel: Frame;
beforeAll(async () => {
  session = await startWorkbench();
  page = await session.open();
});
afterAll(() => session?.close());

/** A dropdown of the form, by its label. */
async function choose(frame: Frame, label: string, option: string | RegExp): Promise<void> {
  await frame.getByRole('combobox', { name: label, exact: true }).click();
  await frame.getByRole('option', { name: option }).click();
}
const field = (key: string) => panel.locator(`.field[data-key="${key}"]`);

/** The run file of the only run of the workspace, as the engine resolved it. */
function onlyRun(): any {
  const [folder, ...others] = readdirSync(join(session.workspace, 'runs'));
  expect(others).toEqual([]);
  return JSON.parse(readFileSync(join(session.workspace, 'runs', folder!, 'run.json'), 'utf8'));
}

test('the form shows trained parameters and memory', async () => {
  panel = await openSidebar(page);
  await choose(panel, 'Model', /^embedded:tiny/);
  await choose(panel, 'Training data', /pirate\.messages\.jsonl · datasets/);
  await panel.getByText(/parameters trained/).waitFor();
  await panel.locator('.memory-row').nth(2).waitFor();
  await session.shot(page, 'run-panel');
  await expectAccessible(panel, '--vscode-sideBar-background');
});

test('problems are shown at their fields, including those that only the engine finds', async () => {
  await field('r').locator('input').fill('0');
  await field('r').getByRole('alert').getByText('whole number from 1').waitFor();
  await field('r').locator('input').fill('8');
  await field('target_modules').locator('input').fill('no_such_module');
  await field('target_modules').getByRole('alert').getByText('no_such_module').waitFor();
  await session.shot(page, 'run-panel-problem');
  await field('target_modules').locator('input').fill('all-linear');
});

test('the palette opens while a field has the focus', async () => {
  await field('r').locator('input').focus();
  expect(await offeredCommands(page, 'Tunewright: ', 'Fine-Tune a Model')).not.toEqual([]);
});

test('the form is saved as a run file with relative paths; cancelled, nothing is saved', async () => {
  const files = () => readdirSync(join(session.workspace, 'examples'));
  const before = files();
  await runCommand(page, 'Tunewright: Save as Run File');
  await fileDialog(page, 'Save Run File', null);
  expect(files()).toEqual(before);
  await runCommand(page, 'Tunewright: Save as Run File');
  const target = join(session.workspace, 'examples/saved.tune.json');
  await fileDialog(page, 'Save Run File', target);
  await page.locator('.tab.active').filter({ hasText: 'saved.tune.json' }).waitFor();
  expect(JSON.parse(readFileSync(target, 'utf8'))).toMatchObject({
    model: 'embedded:tiny',
    dataset: { train: '../datasets/pirate.messages.jsonl' },
    method: { peft_type: 'LORA', target_modules: 'all-linear' },
  });
});

test('a run file opens in the form', async () => {
  const file = join(session.workspace, 'opened.tune.json');
  const saved = JSON.parse(readFileSync(join(session.workspace, 'examples/saved.tune.json'), 'utf8'));
  const config = { ...saved, dataset: { ...saved.dataset, train: 'datasets/pirate.messages.jsonl' } };
  writeFileSync(file, JSON.stringify({ ...config, method: { ...config.method, r: 5 } }));
  await runCommand(page, 'Tunewright: Open Run File');
  await fileDialog(page, 'Open Run File', file);
  await expect.poll(() => field('r').locator('input').inputValue()).toBe('5');
});

test('a path typed into a field is one in the workspace, and one that does not exist is refused there', async () => {
  await panel.getByText('Validation, length and more').click();
  const validation = field('validation');
  await validation.locator('input').fill('datasets/none.jsonl');
  await panel.getByRole('button', { name: 'Start Fine-Tuning' }).click();
  await validation
    .getByRole('alert')
    .getByText(join(session.workspace, 'datasets/none.jsonl does not exist.'))
    .waitFor();
  expect(existsSync(join(session.workspace, 'runs'))).toBe(false);
  await session.shot(page, 'run-panel-missing-file');
  await validation.locator('input').fill('datasets/pirate.validation.jsonl');
});

test('Start opens a dashboard whose charts move', async () => {
  await field('num_train_epochs').locator('input').fill('2');
  await panel.getByRole('button', { name: 'Start Fine-Tuning' }).click();
  const dashboard = await webview(page, '.dashboard .chart canvas', TRAINING_MS);
  expect(await dashboard.locator('h1').textContent()).toBe('pirate-lora');
  const steps = () => dashboard.getByRole('img', { name: /^Loss/ }).getAttribute('aria-label');
  const before = await steps();
  await expect.poll(steps, { timeout: TRAINING_MS }).not.toBe(before);
  await session.shot(page, 'dashboard-running');
  await dashboard.locator('.status[data-status="completed"]').waitFor({ timeout: TRAINING_MS });
  await session.shot(page, 'dashboard');
  await expectAccessible(dashboard, '--vscode-editor-background');
});

test('the run had the validation rows of the file that was typed', () => {
  expect(onlyRun().dataset.validation).toBe(join(session.workspace, 'datasets/pirate.validation.jsonl'));
});

test('a reload of the window brings the dashboard back', async () => {
  await page.reload();
  const dashboard = await webview(page, '.dashboard .chart canvas');
  await expect.poll(() => dashboard.locator('h1').textContent()).toBe('pirate-lora');
  await dashboard.locator('.status[data-status="completed"]').waitFor();
});

test('palette and form start the same run from the same choices', async () => {
  rmSync(join(session.workspace, 'runs'), { recursive: true });
  const stopped = async () => {
    const events = join(session.workspace, 'runs', readdirSync(join(session.workspace, 'runs'))[0]!, 'events.ndjson');
    const has = (type: string) => async () =>
      existsSync(events) && readFileSync(events, 'utf8').includes(`"type":"${type}"`);
    await until('the run to start', has('step'), TRAINING_MS);
    await runCommand(page, 'Tunewright: Stop Run');
    await until('the run to end', has('completed'), TRAINING_MS);
    const run = onlyRun();
    rmSync(join(session.workspace, 'runs'), { recursive: true });
    return run;
  };
  await runCommand(page, 'Tunewright: Fine-Tune a Model');
  for (const answer of ['embedded:tiny', 'datasets/pirate.messages.jsonl', 'LORA', 'Start']) await pick(page, answer);
  await page.locator('.tab.active').filter({ hasText: 'pirate-lora' }).waitFor();
  const fromPalette = await stopped();
  panel = await webview(page, '.cards');
  await runCommand(page, 'Tunewright: Reset Form');
  await choose(panel, 'Training data', /pirate\.messages\.jsonl · datasets/);
  await choose(panel, 'Model', /^embedded:tiny/);
  await expect.poll(() => field('lora_alpha').locator('input').inputValue()).toBe('16');
  await panel.getByRole('button', { name: 'Start Fine-Tuning' }).click();
  await until('the run to start', async () => existsSync(join(session.workspace, 'runs')));
  expect(await stopped()).toEqual(fromPalette);
  expect(fromPalette).toMatchObject({
    name: 'pirate-lora',
    dataset: { validation: 0.1, max_length: 128 },
    method: { peft_type: 'LORA', lora_alpha: 16, target_modules: 'all-linear' },
    training: { learning_rate: 4e-3 },
    samples: { prompts: [expect.any(String), expect.any(String), expect.any(String)] },
  });
});
