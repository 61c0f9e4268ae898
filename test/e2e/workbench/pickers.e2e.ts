// What the views and pickers offer in a workspace with models, adapters and runs besides datasets, in a real workbench: models under
// Models, rows as training data and nothing else, own files before the bundled ones; what is said of data before a run; and the
// walkthrough's ticks.
import { cpSync, mkdirSync, readFileSync, readdirSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Frame, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  contextMenu,
  openFile,
  openSidebar,
  pick,
  runCommand,
  until,
  webview,
} from '../../integration/support/workbenchPage.js';
import { startWorkbench, type WorkbenchSession } from './session.js';

const root = new URL('../../..', import.meta.url).pathname;
const card = '---\nbase_model: "embedded:tiny"\n---\n';
const row = (i: number) => JSON.stringify({ prompt: `What is ${i}?`, completion: `A number: ${i}.` });

let session: WorkbenchSession;
let page: Page;
let panel: Frame;
beforeAll(async () => {
  session = await startWorkbench();
  addModel('pirate-lora-merged');
  // Results first: the window is open, and lists a run as soon as it is there.
  addModel('runs/pirate-full-20260101-000000/model');
  write('runs/pirate-lora-20260101-000000/adapter/adapter_config.json', '{"peft_type": "LORA"}');
  addRun('pirate-lora', 'LORA', 'adapter');
  addRun('pirate-full', 'FULL', 'model');
  write('adapters/mine/adapter_config.json', '{"peft_type": "LORA"}');
  write('exports/pirate-lora-Loss.csv', 'series,step,value\npirate-lora,1,2.5\n');
  write('app/config.json', '{"port": 80}');
  write('app/messages.json', '{"greeting": "Hello"}');
  write(
    'zoo/few.jsonl',
    `${row(1)}\n{"prompt": [oops\n${row(2)}\n${JSON.stringify({ prompt: 'Hi', completion: '' })}\n`,
  );
  const broken = Array.from({ length: 20 }, (_, i) => (i % 5 === 4 ? '{"prompt": [oops' : row(i)));
  write('zoo/broken.jsonl', `${broken.join('\n')}\n`);
  write(
    'zoo/python.jsonl',
    `{'prompt': "It's 1?", 'completion': 'Yes.', 'ok': True}\n{'prompt': '2?', 'completion': 'No.'}\n`,
  );
  page = await session.open();
  panel = await openSidebar(page);
  await page
    .locator('.pane-header')
    .filter({ hasText: /Models and Adapters/i })
    .click();
});
afterAll(() => session?.close());

function write(name: string, text: string): void {
  const path = join(session.workspace, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
}

/** As `merge` and full fine-tuning write it. */
function addModel(folder: string): void {
  cpSync(join(root, 'media/models/tiny'), join(session.workspace, folder), { recursive: true });
  write(`${folder}/README.md`, card);
}

function addRun(name: string, peft_type: string, result: string): void {
  const folder = `runs/${name}-20260101-000000`;
  const events = readFileSync(join(root, 'test/fixtures/runs/pirate-lora.ndjson'), 'utf8');
  const own = events.replaceAll('"adapter":"adapter"', `"adapter":"${result}"`).replaceAll('"LORA"', `"${peft_type}"`);
  write(`${folder}/events.ndjson`, own);
  const dataset = { train: join(session.workspace, 'datasets/pirate.messages.jsonl') };
  write(`${folder}/run.json`, JSON.stringify({ name, model: 'embedded:tiny', dataset, method: { peft_type } }));
}

const treeRows = () =>
  page
    .locator('.pane')
    .filter({ hasText: /Models and Adapters/i })
    .locator('.monaco-list-row');
const treeRow = (text: string | RegExp) => treeRows().filter({ hasText: text }).first();
const quickRows = () => page.locator('.quick-input-widget .quick-input-list .monaco-list-row');

async function options(name: string): Promise<string[]> {
  await panel.getByRole('combobox', { name, exact: true }).click();
  const texts = await panel.getByRole('option').allTextContents();
  await page.keyboard.press('Escape');
  return texts;
}

async function choose(name: string, option: string | RegExp): Promise<void> {
  await panel.getByRole('combobox', { name, exact: true }).click();
  await panel.getByRole('option', { name: option }).click();
}

test('merged and fully fine-tuned models are under Models, named by folder or run and what they were made from', async () => {
  // The list has only the rows that are in view, and this machine may have models of its own.
  await page
    .locator('.pane-header')
    .filter({ hasText: /^Runs$/ })
    .click();
  await treeRow(/pirate-lora-merged.*made from embedded:tiny/).waitFor();
  await treeRow(/pirate-full.*made from embedded:tiny/).waitFor();
  await treeRow(/pirate-lora(?!-)/).waitFor();
  const names = await treeRows().allInnerTexts();
  const adapters = names.findIndex(name => name.startsWith('Adapters'));
  expect(adapters).toBeGreaterThan(0);
  const under = (from: number, to?: number) => names.slice(from, to).join('\n');
  expect(under(0, adapters)).toMatch(/pirate-lora-merged[^]*pirate-full|pirate-full[^]*pirate-lora-merged/);
  expect(under(adapters)).toContain('pirate-lora');
  expect(under(adapters)).not.toMatch(/pirate-full|merged/);
  const offered = await contextMenu(treeRow(/pirate-lora-merged/));
  expect(offered).toEqual(expect.arrayContaining(['Fine-Tune This Model', 'Copy Model ID', 'Reveal Model']));
  expect(await contextMenu(treeRow(/pirate-full/))).toEqual(
    expect.arrayContaining(['Open Playground', 'Reveal Model']),
  );
  await session.shot(page, 'models-tree');
});

test('the form offers these models, and datasets only', async () => {
  // The choices come again when files change, and the open list with them.
  await expect.poll(async () => (await options('Model')).join('\n')).toMatch(/^pirate-full · made from embedded:tiny/m);
  await expect.poll(async () => (await options('Model')).join('\n')).toMatch(/^pirate-lora-merged · made from/m);
  let data = '';
  await expect.poll(async () => (data = (await options('Training data')).join('\n'))).toContain('few.jsonl · zoo');
  for (const name of ['pirate.messages.jsonl · datasets', 'few.jsonl · zoo', 'python.jsonl · zoo'])
    expect(data).toContain(name);
  expect(data).not.toMatch(/config|tokenizer|Loss\.csv|messages\.json ·|package|events/);
  await session.shot(page, 'run-panel-choices');
});

test('the explorer offers commands on rows only', async () => {
  await page.locator('.activitybar [aria-label^="Explorer"]').first().click();
  const file = (name: string) => page.locator('.explorer-folders-view .monaco-list-row').filter({ hasText: name });
  const offered = async (folder: string, name: string) => {
    if ((await file(name).count()) === 0) await file(folder).first().click();
    return (await contextMenu(file(name).first())).filter(title => /Fine-Tune|Dataset/.test(title));
  };
  expect(await offered('zoo', 'few.jsonl')).toEqual([
    'Preview Dataset',
    'Fine-Tune with This Dataset',
    'Make an Evaluation from This Dataset...',
  ]);
  expect(await offered('app', 'config.json')).toEqual([]);
  expect(await offered('pirate-lora-merged', 'tokenizer.json')).toEqual([]);
  expect(await offered('exports', 'pirate-lora-Loss.csv')).toEqual([]);
  await page.locator('.activitybar [aria-label^="Tunewright"]').first().click();
  panel = await webview(page, '.cards');
});

test('typing a file’s name and Enter takes the workspace’s own file', async () => {
  await runCommand(page, 'Tunewright: Fine-Tune a Model');
  const input = page.locator('.quick-input-widget input[type=text]');
  const title = (text: string) => page.locator('.quick-input-widget').filter({ hasText: text });
  await title('(1/4)').waitFor();
  await pick(page, 'pirate-lora-merged');
  await title('(2/4)').waitFor();
  await input.fill('pirate.messages.jsonl');
  await until('the own file first', async () => /datasets\/pirate/.test((await quickRows().first().innerText()) ?? ''));
  expect((await quickRows().allInnerTexts()).filter(text => text.includes('Example: '))).toHaveLength(1);
  await session.shot(page, 'pick-dataset');
  await input.press('Enter');
  await title('(3/4)').waitFor();
  await pick(page, 'LORA');
  await title('(4/4)').waitFor();
  await pick(page, 'Edit in Run Panel');
  await until('the dataset in the form', async () =>
    /pirate\.messages\.jsonl · datasets/.test(
      (await panel.getByRole('combobox', { name: 'Training data', exact: true }).textContent()) ?? '',
    ),
  );
});

test('the form says what the rows hold, and opens one with a problem', async () => {
  await choose('Training data', /few\.jsonl · zoo/);
  await panel.getByText('Prompt and completion · 4 rows').waitFor();
  await panel.getByText('1 row can’t be used, left out').waitFor();
  await panel.getByText('1 row with an empty answer, trained on').waitFor();
  await session.shot(page, 'run-panel-data');
  await panel.getByRole('link', { name: 'Open line 2' }).click();
  await page.locator('.tab.active').filter({ hasText: 'few.jsonl' }).waitFor();
  await page.locator('.statusbar-item').filter({ hasText: 'Ln 2, Col 1' }).waitFor();
});

test('Start does not go ahead where rows would end the run, and says so', async () => {
  await choose('Training data', /broken\.jsonl · zoo/);
  const end = /The run would end: 4 of 20 rows can’t be used, more than a tenth\. The first, line 5/;
  await panel.locator('.data-facts').getByText(end).waitFor();
  const before = readdirSync(join(session.workspace, 'runs'));
  await panel.getByRole('button', { name: 'Start Fine-Tuning' }).click();
  await panel.locator('.footer').getByText(end).waitFor();
  await session.shot(page, 'run-panel-would-end');
  expect(readdirSync(join(session.workspace, 'runs'))).toEqual(before);
  await panel.locator('.footer').getByRole('link', { name: 'Open line 5' }).click();
  await page.locator('.tab.active').filter({ hasText: 'broken.jsonl' }).waitFor();
  const fixed = Array.from({ length: 20 }, (_, i) => row(i)).join('\n');
  writeFileSync(join(session.workspace, 'zoo/broken.jsonl'), `${fixed}\n`);
  await panel.locator('.data-facts').getByText(end).waitFor({ state: 'hidden' });
});

test('rows that Python printed are marked, and repaired together', async () => {
  await openFile(page, 'python.jsonl');
  await page.locator('.codelens-decoration').filter({ hasText: '2 problems' }).first().waitFor();
  await page.locator('.squiggly-error').first().waitFor();
  await page
    .locator('.view-line')
    .first()
    .click({ position: { x: 120, y: 5 } });
  await page.keyboard.press('Control+.');
  const action = page
    .locator('.action-widget .monaco-list-row')
    .filter({ hasText: 'Repair the JSON of all such rows' });
  await action.waitFor();
  const titles = await page.locator('.action-widget .monaco-list-row.action').allInnerTexts();
  expect(titles.filter(title => title === 'Delete this row').length).toBe(1);
  await session.shot(page, 'repair-python');
  await action.click();
  await page.locator('.codelens-decoration').filter({ hasText: 'No problems' }).first().waitFor();
  await page.keyboard.press('Control+S');
  const path = join(session.workspace, 'zoo/python.jsonl');
  await until('the file to be saved', async () => readFileSync(path, 'utf8').startsWith('{"prompt"'));
  const rows = readFileSync(path, 'utf8').trim().split('\n');
  expect(rows.map(text => JSON.parse(text))).toEqual([
    { prompt: "It's 1?", completion: 'Yes.', ok: true },
    { prompt: '2?', completion: 'No.' },
  ]);
});

test('the walkthrough ticks what was done elsewhere', async () => {
  await runCommand(page, 'Tunewright: Preview Dataset');
  await webview(page, '.preview .facts');
  await page
    .locator('.pane-body .monaco-list-row')
    .filter({ hasText: /pirate-lora.*val loss/ })
    .first()
    .click();
  await webview(page, '.dashboard .chart canvas');
  await runCommand(page, 'Tunewright: Open Walkthrough');
  const container = page.locator('.gettingStartedContainer').first();
  await container.getByText('Get Started with Tunewright').first().waitFor();
  const isTicked = (title: string) =>
    container
      .locator('.getting-started-step')
      .filter({ hasText: title })
      .first()
      .getAttribute('aria-checked')
      .then(checked => checked === 'true');
  for (const title of ['Look at a dataset', 'Fine-tune a model', 'Watch the training'])
    await until(`${title} to be ticked`, () => isTicked(title));
  expect(await isTicked('Try the result')).toBe(false);
  await session.shot(page, 'walkthrough-ticked');
});

test('no request left this machine', () => {
  expect(existsSync(join(session.workspace, 'runs'))).toBe(true);
  expect(session.browser.outside).toEqual([]);
});
