// The loop that the playground is for, in a real VS Code with the embedded model: ask, correct, train, ask again; and the tab after a
// reload, and a row's prompt.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Frame, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFile, pick, runCommand, webview } from '../../integration/support/workbenchPage.js';
import { expectAccessible } from '../webviews/accessibility.js';
import { record } from './recorder.js';
import { startWorkbench, TRAINING_MS, type WorkbenchSession } from './session.js';

const MODEL_MS = 120_000;
const QUESTION = 'Where do bears sleep?';
const CORRECTED = 'Arr, bears sleep in a den, me hearty!';

const FRAMES =
  process.env['TUNEWRIGHT_SCREENSHOTS'] && join(process.env['TUNEWRIGHT_SCREENSHOTS'], 'frames-ask-correct-train');

let recording: Awaited<ReturnType<typeof record>> | null = null;
let session: WorkbenchSession;
let page: Page;
let playground: Frame;
beforeAll(async () => {
  // Hides what doesn't belong to the README's pictures.
  session = await startWorkbench({
    settings: { 'workbench.layoutControl.enabled': false, 'window.commandCenter': false },
  });
  page = await session.open();
});
afterAll(() => session?.close());

const input = () => playground.getByRole('textbox', { name: 'Message to all columns' });
const answers = (status: string) => playground.locator(`.answer[data-status="${status}"]`);
const answerOf = (name: string) => playground.getByRole('article', { name: `Answer of ${name}`, exact: true }).last();
const dataset = () => readFileSync(join(session.workspace, 'datasets/pirate.messages.jsonl'), 'utf8');

test('a model is asked', async () => {
  await runCommand(page, 'View: Toggle Primary Side Bar Visibility');
  await runCommand(page, 'Tunewright: Open Playground');
  recording = FRAMES ? await record(page, FRAMES) : null;
  await pick(page, 'embedded:tiny');
  playground = await webview(page, '.column-head');
  await playground.getByText(/[\d.]+ MB in memory/).waitFor({ timeout: MODEL_MS });
  await input().pressSequentially(QUESTION, { delay: 30 });
  await input().press('Enter');
  await answers('done').waitFor({ timeout: MODEL_MS });
  expect(await answerOf('base').locator('> .prose').first().textContent()).toMatch(/^A bear/);
  expect(await answerOf('base').locator('.figures').textContent()).toMatch(/^\d+ tokens · .*complete/);
});

test('its corrected answer becomes a row of a dataset', async () => {
  const before = dataset();
  await answerOf('base').getByRole('button', { name: 'Correct This Answer' }).click();
  const editor = playground.getByRole('textbox', { name: 'Corrected answer of base' });
  await editor.fill('');
  await editor.pressSequentially(CORRECTED, { delay: 30 });
  await playground.getByRole('button', { name: 'Add to Dataset...' }).click();
  await pick(page, 'pirate.messages.jsonl');
  await answerOf('base').getByText('Added as line 301 of datasets/pirate.messages.jsonl').waitFor();
  const row = {
    messages: [
      { role: 'user', content: QUESTION },
      { role: 'assistant', content: CORRECTED },
    ],
  };
  await expect.poll(dataset).toBe(`${before.trimEnd()}\n${JSON.stringify(row)}\n`);
});

test('a run learns from it, and the new adapter answers beside the base', async () => {
  await answerOf('base').getByRole('button', { name: 'Train on This' }).click();
  await playground.locator('.training[data-phase="alive"]').waitFor({ timeout: MODEL_MS });
  await session.shot(page, 'playground-training');
  const beside = playground.getByRole('button', { name: 'Show beside base' });
  await beside.click({ timeout: TRAINING_MS });
  await playground.locator('.column-head').nth(1).waitFor();
  await answers('done').nth(1).waitFor({ timeout: MODEL_MS });
  expect(await answers('done').nth(1).locator('> .prose').first().textContent()).toMatch(/^Arr/);
  await input().fill('Tell me about owls.');
  await input().press('Enter');
  await answers('done').nth(3).waitFor({ timeout: MODEL_MS });
  await playground.getByRole('combobox', { name: 'Colour tokens by' }).click();
  await playground.getByRole('option', { name: 'Probability' }).click();
  const tokens = answers('done').nth(3).locator('.token');
  await tokens.nth(2).waitFor();
  expect((await tokens.allTextContents()).join('')).toMatch(/^Arr/);
  await expectAccessible(playground, '--vscode-editor-background');
  await recording?.stop();
  await runCommand(page, 'Notifications: Clear All Notifications');
  await tokens.nth(3).hover();
  await playground.locator('.token-card tr').nth(4).waitFor();
  await session.shot(page, 'playground');
});

test('the conversation is there after a reload, without the model until it is asked', async () => {
  await page.reload();
  playground = await webview(page, '.column-head');
  await playground.getByText('is loaded with the first message').waitFor({ timeout: MODEL_MS });
  expect(await playground.locator('.turn').count()).toBe(2);
  await input().fill('And dogs?');
  await input().press('Enter');
  await answers('done').nth(5).waitFor({ timeout: MODEL_MS });
});

test('a row of a dataset is asked', async () => {
  await openFile(page, 'pirate.messages.jsonl');
  await runCommand(page, 'Tunewright: Preview Dataset');
  const preview = await webview(page, '.preview .facts');
  await preview.getByRole('row').nth(3).click();
  await preview.getByRole('button', { name: 'Ask This Row’s Prompt' }).click();
  playground = await webview(page, '.column-head');
  await expect.poll(() => input().inputValue()).not.toBe('');
});
