// A dataset too large for VS Code's text features, in a real workbench with the packaged extension: the preview is
// offered, shows the first rows before the rest is read, and reads it in a process of its own.
// TUNEWRIGHT_LARGE_DATASET_MB=1000 sets the size, prints times and memory and checks their limits.
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFile, openSidebar, webview } from '../../integration/support/workbenchPage.js';
import { startWorkbench, type WorkbenchSession } from './session.js';

const asked = Number(process.env['TUNEWRIGHT_LARGE_DATASET_MB'] ?? 0);
/** VS Code's limit is 50. */
const megabytes = asked || 60;
const firstRowsLimitMs = 2_000;
const hostLimitMb = 300;

let session: WorkbenchSession;
let page: Page;
beforeAll(async () => {
  session = await startWorkbench();
  writeDataset(join(session.workspace, 'large.jsonl'), megabytes * 1e6);
  await session.browser.context.addInitScript(noteMoments);
  page = await session.open();
  // The first frame of a browser session takes seconds regardless of its content, which must not count for the preview.
  await openSidebar(page);
});
afterAll(() => session?.close());

test(`the preview of ${megabytes} MB shows its first rows, then reads the rest in another process`, async () => {
  await openFile(page, 'large.jsonl');
  const offer = page.locator('.notification-toast').filter({ hasText: 'too large for hovers' });
  const before = memoryOf('--type=extensionHost');
  await offer.getByRole('button', { name: 'Open Preview' }).click();
  const preview = await webview(page, '.preview .layer .row:not(.loading) .excerpt');
  const [{ clicked }, { frame, pageRuns, firstRow }] = await Promise.all([
    page.evaluate(() => (window as unknown as Moments).moments),
    preview.evaluate(() => (window as unknown as Moments).moments),
  ]);
  await session.shot(page, 'dataset-large-first');
  const [firstRowsMs, frameMs, pageRunsMs] = [firstRow, frame, pageRuns].map(moment => Math.round(moment - clicked));
  await preview.getByText(/≈ [\d,]+ tokens/).waitFor();
  let worker = memoryOf('datasetWorker.cjs');
  await expect
    .poll(
      () => {
        worker = memoryOf('datasetWorker.cjs') ?? worker;
        return preview.locator('.progress').isHidden();
      },
      { timeout: 600_000, interval: 500 },
    )
    .toBe(true);
  const readMs = Date.now() - clicked;
  await session.shot(page, 'dataset-large');
  const host = memoryOf('--type=extensionHost')!;
  expect(worker, 'the worker').not.toBeNull();
  if (!asked) return;
  console.log({ frameMs, pageRunsMs, firstRowsMs, readMs, before, host, worker });
  expect(host.peakMb).toBeLessThan(hostLimitMb);
  expect(firstRowsMs).toBeLessThan(firstRowsLimitMs);
}, 900_000);

/** Rows of an example dataset, made distinct. */
function writeDataset(path: string, bytes: number): void {
  const rows = readFileSync(join(session.workspace, 'datasets/pirate.messages.jsonl'), 'utf8').trim().split('\n');
  const file = openSync(path, 'w');
  for (let written = 0, row = 0; written < bytes;) {
    let block = '';
    for (; block.length < 1 << 20; row++) block += `${rows[row % rows.length]!.replace('"content":"', `$&${row}: `)}\n`;
    written += writeSync(file, block);
  }
  closeSync(file);
}

/** In milliseconds since 1970. */
interface Moments {
  moments: { clicked: number; frame: number; pageRuns: number; firstRow: number };
}

/** Runs in every frame before its own scripts: records the click on the button and what appears when. */
function noteMoments(): void {
  const moments = { clicked: 0, frame: performance.timeOrigin, pageRuns: 0, firstRow: 0 };
  (window as unknown as Moments).moments = moments;
  window.addEventListener('click', () => (moments.clicked = Date.now()), true);
  // A webview that writes its document removes listeners and observers, but not timers.
  const timer = setInterval(() => {
    if (!moments.pageRuns && document.querySelector('.preview')) moments.pageRuns = Date.now();
    if (!document.querySelector('.preview .layer .row:not(.loading) .excerpt')) return;
    moments.firstRow = Date.now();
    clearInterval(timer);
  }, 10);
}

/**
 * Resident memory, now and at its peak, of this test's process with these words in its command line; null if there is
 * none.
 */
function memoryOf(words: string): { residentMb: number; peakMb: number } | null {
  const megabytesOf = (status: string, key: string) =>
    Math.round(Number(new RegExp(`${key}:\\s+(\\d+)`).exec(status)?.[1]) / 1024);
  for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name)))
    try {
      if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(words)) continue;
      if (!readFileSync(`/proc/${pid}/environ`, 'utf8').includes(join(session.workspace, '..'))) continue;
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      return { residentMb: megabytesOf(status, 'VmRSS'), peakMb: megabytesOf(status, 'VmHWM') };
    } catch {
      // It has ended.
    }
  return null;
}
