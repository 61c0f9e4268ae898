// The Dataset Preview in a real browser with the product's own session and worker: the table that reads rows as it
// scrolls, search, sorting, filters, the selected row, changes of the file; keyboard, accessibility and appearance in
// every theme.
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { DatasetWorkerClient } from '../../../extension/src/host/datasets/datasetWorkerClient.js';
import { FileWatch } from '../../../extension/src/host/datasets/fileWatch.js';
import { previewFirstRows } from '../../../extension/src/host/datasets/firstRows.js';
import { initialPreview, PreviewSession } from '../../../extension/src/host/datasets/previewSession.js';
import { WebviewChannel } from '../../../extension/src/protocol/webviewChannel.js';
import { expectAccessible } from './accessibility.js';
import { bundleDatasetWorker, type BundledWorker } from '../../support/datasetWorker.js';
import { root, screenshotPath, themes, WebviewBrowser, type Theme } from './harness.js';

const media = join(root, 'media/datasets');

let browser: WebviewBrowser;
let bundled: BundledWorker;
let worker: DatasetWorkerClient;
let files: FileWatch;
let folder: string;
const opened: { page: Page; session: PreviewSession }[] = [];
const faults: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tunewright-preview-'));
  files = new FileWatch();
  [browser, bundled] = await Promise.all([WebviewBrowser.start(), bundleDatasetWorker()]);
  worker = new DatasetWorkerClient(bundled.script, error => faults.push(error.message));
});
afterEach(async () => {
  for (const { session } of opened.splice(0)) session.dispose();
  await browser.closePages();
  expect(faults.splice(0)).toEqual([]);
});
afterAll(async () => {
  worker.dispose();
  await files.close();
  await browser.stop();
  bundled.remove();
  rmSync(folder, { recursive: true, force: true });
});

interface Preview {
  page: Page;
  actions: unknown[];
}

async function preview(
  path: string,
  theme: Theme = 'dark',
  size: { width?: number; height?: number } = {},
  maxLength = 64,
) {
  const actions: unknown[] = [];
  const toSession: ((message: unknown) => void)[] = [];
  const firstRows = await previewFirstRows(path);
  const page = await browser.open({
    webview: 'datasetPreview',
    initial: firstRows.length > 0 ? initialPreview(path, firstRows) : undefined,
    theme,
    width: size.width ?? 1200,
    height: size.height ?? 800,
    beforeLoad: async page => {
      page.on('pageerror', error => faults.push(error.message));
      await page.exposeFunction('toHost', (message: unknown) => toSession.forEach(listener => listener(message)));
      await page.addInitScript(() => {
        let state: unknown;
        const api = {
          postMessage: (message: unknown) => void (window as unknown as { toHost(m: unknown): void }).toHost(message),
          setState: (value: unknown) => (state = value),
          getState: () => state,
        };
        Object.assign(window, { acquireVsCodeApi: () => api });
      });
      const channel = new WebviewChannel(
        {
          post: message =>
            void page.evaluate(sent => window.postMessage(sent, '*'), message as object).catch(() => undefined),
          listen: listener => {
            toSession.push(listener);
            return () => void toSession.splice(toSession.indexOf(listener), 1);
          },
        },
        fault => faults.push(fault),
      );
      const session = new PreviewSession({
        path,
        firstRows,
        channel,
        worker,
        reading: async () => ({
          settings: {
            ...{
              format: 'auto',
              columns: {},
              maxLength,
              trainOn: 'completions',
              truncation: 'end',
              chatTemplate: null,
            },
            ...{ tokenizerFolder: join(root, 'media/models/tiny'), compareWith: null },
          },
          readBy: 'Settings from run file pirate; tokenizer of embedded:tiny',
        }),
        watch: listener => files.add(path, listener),
        outdatedRuns: () => 0,
        fineTune: () => actions.push('fineTune'),
        ask: row => actions.push({ ask: row }),
        reveal: line => actions.push({ reveal: line }),
        onFault: error => faults.push(error.message),
      });
      opened.push({ page, session });
    },
  });
  page.setDefaultTimeout(8000);
  await page.getByText(/tokens · .*trained on/).waitFor();
  return { page, actions } satisfies Preview;
}

/** A file with several kinds of problems, and enough rows to scroll. */
function troubledFile(): string {
  const path = join(folder, 'trouble.messages.jsonl');
  const lines = readFileSync(join(media, 'pirate.messages.jsonl'), 'utf8').trimEnd().split('\n');
  const chat = (question: string, answer: string) =>
    JSON.stringify({
      messages: [
        { role: 'user', content: question },
        { role: 'assistant', content: answer },
      ],
    });
  lines.splice(3, 0, '{"messages": [{"role": "user", "content": "half a row"', lines[1]);
  lines.splice(8, 0, chat('Tell me a long story.', 'Once upon a time there was a pirate with a parrot. '.repeat(9)));
  lines.splice(10, 0, chat('What <b>is</b> this & that?', '<script>alert("no")</script>'));
  lines.splice(12, 0, '{"messages": [{"role": "user", "content": "Hello"}, {"role": "user", "content": "Anyone?"}]}');
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

const rowsOf = (page: Page) => page.locator('.layer [role=row]');

describe('the table', () => {
  test('facts, lengths and problems of a dataset; a row as a conversation, as tokens and as text', async () => {
    const { page, actions } = await preview(troubledFile());
    await expect
      .poll(() => page.locator('.facts').textContent())
      .toMatch(/^Conversations \(OpenAI messages\) · 305 rows/);
    await page.getByRole('img', { name: /max_length is 64/ }).waitFor();
    await rowsOf(page).nth(8).click();
    const detail = page.getByRole('region', { name: 'Selected row' });
    await detail.getByText('Row 9').waitFor();
    await detail.getByText(/of the answer are cut off/).waitFor();
    await detail.getByRole('tab', { name: 'Tokens' }).click();
    expect(await detail.locator('pre .run.cut').count()).toBe(1);
    expect(await detail.locator('pre .run.trained').first().textContent()).toMatch(/^Once upon a time/);
    // Content of a dataset is text, never markup.
    await rowsOf(page).nth(10).click();
    await detail.getByText('Row 11').waitFor();
    expect(await detail.textContent()).toContain('<script>alert("no")</script>');
    await detail.getByRole('button', { name: 'Show in Text Editor' }).click();
    await page.getByRole('button', { name: 'Fine-Tune' }).click();
    expect(actions).toEqual([{ reveal: 11 }, 'fineTune']);
  });

  test('search, filter and sort', async () => {
    const { page } = await preview(troubledFile());
    const grid = page.getByRole('grid');
    await page.getByRole('textbox', { name: 'Search rows' }).fill('parrot');
    await page.getByText(/^\d+ of 305 rows$/).waitFor();
    expect(Number(await grid.getAttribute('aria-rowcount'))).toBeLessThan(30);
    await page.getByRole('textbox', { name: 'Search rows' }).fill('');
    await page.getByRole('button', { name: 'Tokens' }).click();
    await expect.poll(() => rowsOf(page).first().textContent()).toMatch(/^9/);
    expect(await page.getByRole('columnheader', { name: 'Tokens' }).getAttribute('aria-sort')).toBe('descending');
    await page.getByRole('button', { name: 'Problems' }).click();
    await expect.poll(() => rowsOf(page).first().textContent()).toMatch(/^4.*Invalid/);
  });

  test('by keyboard alone: moves between rows, opens one, reaches the last', async () => {
    const { page, actions } = await preview(join(media, 'pirate.messages.jsonl'));
    const grid = page.getByRole('grid');
    await grid.focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.getByRole('heading', { name: 'Row 3' }).waitFor();
    await page.keyboard.press('End');
    await page.getByRole('heading', { name: 'Row 300' }).waitFor();
    const active = await grid.getAttribute('aria-activedescendant');
    expect(await page.locator(`#${active}`).getAttribute('aria-rowindex')).toBe('301');
    await page.keyboard.press('PageUp');
    await page.keyboard.press('Home');
    await page.getByRole('heading', { name: 'Row 1', exact: true }).waitFor();
    await page.keyboard.press('Enter');
    await expect.poll(() => actions).toEqual([{ reveal: 1 }]);
    const [first] = readFileSync(join(media, 'pirate.messages.jsonl'), 'utf8').split('\n');
    const { messages } = JSON.parse(first!) as { messages: { role: string; content: string }[] };
    await page.getByRole('button', { name: 'Ask This Row’s Prompt' }).click();
    const prompt = messages.find(({ role }) => role === 'user')!.content;
    await expect.poll(() => actions.at(-1)).toEqual({ ask: expect.objectContaining({ prompt }) });
  });

  test('scrolls half a million rows from end to end, with only those in view in the page', async () => {
    const path = join(folder, 'many.jsonl');
    writeFileSync(path, Array.from({ length: 500_000 }, (_, i) => `{"text":"row ${i + 1}"}`).join('\n'));
    const { page } = await preview(path);
    await page.getByText(/500,000 rows/).waitFor();
    const grid = page.getByRole('grid');
    await grid.focus();
    await page.keyboard.press('End');
    await page.getByRole('gridcell', { name: 'row 500000' }).waitFor();
    expect(await rowsOf(page).count()).toBeLessThan(60);
    await page.getByRole('grid').evaluate(scroller => (scroller.scrollTop = scroller.scrollHeight / 2));
    await expect.poll(() => rowsOf(page).nth(10).textContent()).toMatch(/^25\d,\d{3}/);
  });
});

test('shows an edit of the file, its deletion, and a file that reappears', async () => {
  const path = join(folder, 'watched.csv');
  copyFileSync(join(media, 'facts.csv'), path);
  const { page } = await preview(path);
  await page.getByText(/48 rows/).waitFor();
  writeFileSync(path, 'prompt,completion\nWho?,You.\n');
  await page.locator('.facts', { hasText: '· 1 row' }).waitFor();
  await page.getByRole('gridcell', { name: 'Who? → You.' }).waitFor();
  rmSync(path);
  await page
    .getByRole('alert')
    .getByText(/deleted/)
    .waitFor();
  writeFileSync(path, 'prompt,completion\nWho?,You.\nWhy?, So.\n');
  await page.locator('.facts', { hasText: '· 2 rows' }).waitFor();
  expect(await page.getByRole('alert').count()).toBe(0);
});

test.each(['haiku.sharegpt.json', 'facts.parquet', 'questions.tokenized.jsonl'])('%s', async name => {
  const { page } = await preview(join(media, name));
  await rowsOf(page).nth(1).click();
  await page.getByRole('heading', { name: 'Row 2' }).waitFor();
  expect(await page.getByRole('tabpanel').textContent()).not.toBe('');
});

describe('looks', () => {
  test.each(themes)('%s: no serious problem of accessibility', async theme => {
    const { page } = await preview(troubledFile(), theme);
    await rowsOf(page).nth(8).click();
    await page.getByRole('heading', { name: 'Row 9' }).waitFor();
    await page.screenshot({ path: screenshotPath(`preview-${theme}`) });
    await page.getByRole('tab', { name: 'Tokens' }).click();
    await page.screenshot({ path: screenshotPath(`preview-tokens-${theme}`) });
    await expectAccessible(page);
  });

  test('narrow: the row is below the table', async () => {
    const { page } = await preview(troubledFile(), 'dark', { width: 560, height: 760 });
    await rowsOf(page).nth(3).click();
    await page.getByRole('heading', { name: 'Row 4' }).waitFor();
    await page.screenshot({ path: screenshotPath('preview-narrow') });
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);
  });
});

test('the bundle stays under 400 kB', () => {
  expect(browser.bundleSizes['datasetPreview.js']).toBeLessThan(400_000);
  expect(browser.bundleSizes['datasetPreview.js']).toBeGreaterThan(0);
});
