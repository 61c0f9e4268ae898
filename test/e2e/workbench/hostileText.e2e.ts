// Names and rows that look like links and icons, in a real workbench: they are shown as they are, and nothing of them can be
// clicked or replaced.
import { cpSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFile, openSidebar, runCommand } from '../../integration/support/workbenchPage.js';
import { startWorkbench, type WorkbenchSession } from './session.js';

const LINK = '[Show the fix](command:workbench.action.terminal.toggleTerminal)';
const NAME = `$(zap) ${LINK}`;

let session: WorkbenchSession;
let page: Page;
beforeAll(async () => {
  session = await startWorkbench();
  const rows = Array.from({ length: 3 }, (_, i) => JSON.stringify({ [LINK]: `${NAME} ${i}` }));
  writeFileSync(join(session.workspace, 'hostile.jsonl'), rows.map(row => `${row}\n`).join(''));
  writeFileSync(join(session.workspace, 'shown.jsonl'), `${JSON.stringify({ prompt: NAME, completion: NAME })}\n`);
  writeFileSync(
    join(session.workspace, 'hostile.tune.json'),
    JSON.stringify({
      name: NAME,
      model: 'embedded:tiny',
      dataset: { train: 'hostile.jsonl' },
      method: { peft_type: 'LORA' },
    }),
  );
  page = await session.open();
  await openSidebar(page);
});
afterAll(() => session?.close());

/** Shown as text, with neither a link nor an icon of its own. */
async function expectPlain(place: Locator): Promise<void> {
  const shown = place.filter({ hasText: 'Show the fix' }).first();
  await shown.waitFor();
  expect(await shown.locator('a[href]', { hasText: 'Show the fix' }).count()).toBe(0);
  expect(await shown.locator('.codicon-zap').count()).toBe(0);
}

test('the notification of a run that fails has no link in it', async () => {
  await openFile(page, 'hostile.tune.json');
  await runCommand(page, 'Tunewright: Start Run from File');
  await expectPlain(page.locator('.notification-toast'));
  await session.shot(page, 'hostile-notification');
});

test('the Runs view and its tooltip show the name as it is', async () => {
  const row = page.locator('.pane-body .monaco-list-row').filter({ hasText: 'Show the fix' }).first();
  await expectPlain(page.locator('.pane-body .monaco-list-row'));
  await row.hover();
  await expectPlain(page.locator('.monaco-hover'));
  await page.keyboard.press('Escape');
});

test('a quick pick of runs shows the name as it is', async () => {
  const runs = join(session.workspace, 'runs');
  const [folder] = readdirSync(runs);
  cpSync(join(runs, folder!), join(runs, `${folder}-2`), { recursive: true });
  await page.locator('.pane-body .monaco-list-row').filter({ hasText: 'Show the fix' }).nth(1).waitFor();
  await runCommand(page, 'Tunewright: Compare Runs');
  await expectPlain(page.locator('.quick-input-list .monaco-list-row'));
  await session.shot(page, 'hostile-quick-pick');
  await page.keyboard.press('Escape');
});

test('the hover over a row shows its text as it is', async () => {
  await openFile(page, 'shown.jsonl');
  await page.locator('.codelens-decoration').filter({ hasText: '1 row' }).first().waitFor();
  const box = (await page.locator('.view-line').first().boundingBox())!;
  await page.mouse.move(box.x + 100, box.y + box.height / 2);
  await expectPlain(page.locator('.monaco-hover').filter({ hasText: 'Row 1' }));
});
