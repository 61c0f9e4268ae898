// The whole UI on recorded runs in each kind of theme: the views, a dataset with hover and preview, a dashboard, the
// walkthrough. Checks that nothing is seriously inaccessible in the workbench's own colours; the screenshots
// (TUNEWRIGHT_SCREENSHOTS) are for inspection.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Frame, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFile, openSidebar, pick, runCommand, webview } from '../../integration/support/workbenchPage.js';
import { expectAccessible } from '../webviews/accessibility.js';
import { startWorkbench, type WorkbenchSession } from './session.js';

const recordings = new URL('../../fixtures/runs/', import.meta.url).pathname;
const themes = [
  ['dark', 'Dark Modern', 'vs-dark'],
  ['light', 'Light Modern', 'vs'],
  ['high-contrast', 'Dark High Contrast', 'hc-black'],
  ['high-contrast-light', 'Light High Contrast', 'hc-light'],
] as const;

let session: WorkbenchSession;
let page: Page;
let panel: Frame;
beforeAll(async () => {
  session = await startWorkbench();
  for (const [name, peft_type, train] of [
    ['pirate-lora', 'LORA', 'datasets/pirate.messages.jsonl'],
    ['pirate-prompt', 'PROMPT_TUNING', 'datasets/pirate.messages.jsonl'],
    ['diverged', 'FULL', 'datasets/facts.csv'],
  ] as const) {
    const folder = join(session.workspace, 'runs', `${name}-20260101-000000`);
    mkdirSync(join(folder, 'adapter'), { recursive: true });
    copyFileSync(join(recordings, `${name}.ndjson`), join(folder, 'events.ndjson'));
    const dataset = { train: join(session.workspace, train) };
    writeFileSync(
      join(folder, 'run.json'),
      JSON.stringify({ name, model: 'embedded:tiny', dataset, method: { peft_type } }),
    );
  }
  // Rows with problems, for the markers in the editor.
  const rows = readFileSync(join(session.workspace, 'datasets/pirate.messages.jsonl'), 'utf8').split('\n').slice(0, 12);
  rows.splice(2, 0, '{"messages": [{"role": "user", "content": "half a row"', rows[0]!);
  rows.splice(5, 0, '{"messages": [{"role": "user", "content": "Hello"}, {"role": "bot", "content": "Hi"}]}');
  // Quick Open reuses the editor of a file, so each theme has its own file.
  for (const [name] of themes)
    writeFileSync(join(session.workspace, `datasets/${name}-trouble.jsonl`), `${rows.join('\n')}\n`);
  page = await session.open();
  panel = await openSidebar(page);
  await panel.getByRole('combobox', { name: 'Model', exact: true }).click();
  await panel.getByRole('option', { name: /^embedded:tiny/ }).click();
  await panel.locator('.memory-row').nth(2).waitFor();
  await page
    .locator('.pane-header')
    .filter({ hasText: /Models and Adapters/i })
    .click();
});
afterAll(() => session?.close());

async function useTheme(theme: string, kind: string): Promise<void> {
  await runCommand(page, 'Preferences: Color Theme');
  // Themes further down are not rendered until the list is filtered.
  await page.locator('.quick-input-widget input[type=text]').fill(theme);
  await pick(page, theme);
  await page.locator(`.monaco-workbench.${kind}`).waitFor();
}

test.each(themes)('%s', async (name, theme, kind) => {
  await useTheme(theme, kind);
  await runCommand(page, 'Tunewright: Open Walkthrough');
  const walkthrough = page.locator('.gettingStartedContainer').first();
  await walkthrough.getByText('Get Started with Tunewright').first().waitFor();
  await walkthrough.getByText('Fine-tune a model').first().click();
  await session.shot(page, `walkthrough-${name}`);
  await runCommand(page, 'View: Close All Editors');
  await page.locator('.monaco-list-row').filter({ hasText: 'pirate-lora' }).first().click();
  const dashboard = await webview(page, '.dashboard .chart canvas');
  await session.shot(page, `side-bar-${name}`);
  await expectAccessible(panel, '--vscode-sideBar-background');
  await expectAccessible(dashboard, '--vscode-editor-background');
  await openFile(page, `${name}-trouble.jsonl`);
  await page.locator('.codelens-decoration').filter({ hasText: 'problems' }).first().waitFor();
  await page.locator('.squiggly-error').first().waitFor();
  const line = (await page.locator('.view-line').nth(1).boundingBox())!;
  await page.mouse.move(line.x + 200, line.y + line.height / 2);
  await page
    .locator('.monaco-hover')
    .filter({ hasText: /Row \d+/ })
    .waitFor();
  await session.shot(page, `dataset-${name}`);
  await page.keyboard.press('Escape');
  await runCommand(page, 'Tunewright: Preview Dataset');
  const preview = await webview(page, '.preview .facts');
  await preview.getByText(/15 rows · [\d,]+ tokens/).waitFor();
  await preview.getByRole('row').nth(3).click();
  await preview.getByRole('heading', { name: 'Row 3' }).waitFor();
  await session.shot(page, `preview-${name}`);
  await expectAccessible(preview, '--vscode-editor-background');
  await runCommand(page, 'View: Close All Editors');
  expect(session.browser.outside).toEqual([]);
});
