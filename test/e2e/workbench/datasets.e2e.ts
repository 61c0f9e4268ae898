// Datasets in a real workbench with the packaged extension: CodeLens, row lengths, menus and hover in the editor, the
// preview in a tab, and an edit from outside while it is open.
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { contextMenu, openFile, runCommand, until, webview } from '../../integration/support/workbenchPage.js';
import { expectAccessible } from '../webviews/accessibility.js';
import { startWorkbench, type WorkbenchSession } from './session.js';

let session: WorkbenchSession;
let page: Page;
beforeAll(async () => {
  session = await startWorkbench();
  writeFileSync(join(session.workspace, 'package.json'), '{}\n');
  page = await session.open();
});
afterAll(() => session?.close());

const lens = (text: string | RegExp) => page.locator('.codelens-decoration').filter({ hasText: text }).first();

test('a CodeLens above the rows, and the length before each', async () => {
  await openFile(page, 'pirate.messages.jsonl');
  await lens(/300 rows · [\d,]+ tokens · \d+% trained on/).waitFor();
  await lens('Fine-Tune').waitFor();
  await until('a length before each row', async () => {
    const lengths = await page.locator('.view-line').evaluateAll(textsBefore);
    return lengths.length > 5 && lengths.every(length => /^[\u2007\d]*\d$/.test(length));
  });
  await session.shot(page, 'dataset-editor');
});

test('a row that can’t be read has no length, not a length of 0', async () => {
  const row = JSON.stringify({ prompt: 'What is rain?', completion: 'Water that falls.' });
  const rows = [row, '{"prompt": "What is snow?", "completion": 3}', '{"prompt": [oops', row.replace('rain', 'hail')];
  writeFileSync(join(session.workspace, 'datasets/unread.jsonl'), rows.map(each => `${each}\n`).join(''));
  await openFile(page, 'unread.jsonl');
  await lens(/4 rows/).waitFor();
  await until('lengths of the rows that can be read', async () => {
    const lengths = (await page.locator('.view-line').evaluateAll(textsBefore)).slice(0, 4);
    return (
      lengths
        .map(length => length.replaceAll('\u2007', ''))
        .map(length => /^[1-9]\d*$/.test(length) || length)
        .join() === 'true,,,true'
    );
  });
  await session.shot(page, 'dataset-unread');
  await openFile(page, 'pirate.messages.jsonl');
});

test('the explorer offers commands on datasets and run files, and none on package.json', async () => {
  const offered = async (name: string) => {
    const file = page.locator('.explorer-folders-view .monaco-list-row').filter({ hasText: name }).first();
    const titles = await contextMenu(file);
    return titles.filter(title => /Fine-Tune|Dataset|Run F|Run f|Estimate|Compare Methods/.test(title));
  };
  for (const name of ['pirate.messages.jsonl', 'haiku.sharegpt.json', 'facts.csv', 'facts.parquet'])
    expect(await offered(name)).toEqual([
      'Preview Dataset',
      'Fine-Tune with This Dataset',
      'Make an Evaluation from This Dataset...',
      'Compare Methods...',
    ]);
  await page.locator('.explorer-folders-view .monaco-list-row').filter({ hasText: 'examples' }).click();
  expect(await offered('pirate.tune.json')).toEqual([
    'Start Run from File',
    'Open Run File in Run Panel',
    'Estimate Memory and Parameters',
    'Compare Methods...',
  ]);
  expect(await offered('package.json')).toEqual([]);
});

test('a hover over a row shows the tokens trained on', async () => {
  const line = page.locator('.view-line').nth(2);
  const box = (await line.boundingBox())!;
  await page.mouse.move(box.x + 200, box.y + box.height / 2);
  const hover = page.locator('.monaco-hover').filter({ hasText: /Row \d+/ });
  await hover.waitFor();
  expect(await hover.textContent()).toMatch(/of 128 tokens/);
  expect(await hover.locator('b span').count()).toBeGreaterThan(0);
  await session.shot(page, 'dataset-hover');
  await page.keyboard.press('Escape');
});

test('the editor’s own menu offers the same', async () => {
  const titles = await contextMenu(page.locator('.view-line').nth(2));
  expect(titles).toEqual(expect.arrayContaining(['Preview Dataset', 'Fine-Tune with This Dataset']));
});

test('the preview, and an edit of the file while it is open', async () => {
  await runCommand(page, 'Tunewright: Preview Dataset');
  const frame = await webview(page, '.preview .facts');
  await frame.getByText(/300 rows · [\d,]+ tokens/).waitFor();
  await frame.getByRole('row').nth(3).click();
  await frame.getByRole('heading', { name: 'Row 3' }).waitFor();
  await session.shot(page, 'dataset-preview');
  await expectAccessible(frame, '--vscode-editor-background');
  appendFileSync(join(session.workspace, 'datasets/pirate.messages.jsonl'), '{"messages": [oops\n');
  await frame.getByText(/301 rows/).waitFor();
  await frame.getByRole('combobox', { name: 'Filter rows' }).click();
  await frame.getByRole('option', { name: 'Invalid (1)' }).click();
  await frame.getByText('1 of 301 rows').waitFor();
});

test('no request left this machine', () => expect(session.browser.outside).toEqual([]));

/** The decorations before the text of each line. */
const textsBefore = (lines: Element[]): string[] =>
  lines.map(line => {
    const drawn = Array.from(line.querySelectorAll('span'), span => getComputedStyle(span, '::before').content);
    return drawn
      .filter(content => content.startsWith('"'))
      .join('')
      .replaceAll('"', '');
  });
