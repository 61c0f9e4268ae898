// The workbench in a real browser, driven as a person would: palette, quick picks, editors, webviews. Nothing may leave
// the machine; what tries to is aborted and told.
import { chromium, type Browser, type BrowserContext, type Frame, type Locator, type Page } from 'playwright-core';
import type { CodeServer } from '../../../extension/scripts/codeServer.mjs';
import { chromiumPath } from '../../../extension/scripts/testTools.mjs';

const READY_MS = 60_000;

export interface BrowserSession {
  context: BrowserContext;
  /** Addresses outside this machine that something asked for. */
  outside: string[];
  close(): Promise<void>;
}

export async function launchBrowser(size = { width: 1280, height: 800 }): Promise<BrowserSession> {
  const browser: Browser = await chromium.launch({
    executablePath: chromiumPath(),
    headless: true,
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
      ...['--disable-component-update', '--disable-sync'],
    ],
  });
  const context = await browser.newContext({ viewport: size, locale: 'en-US' });
  const outside: string[] = [];
  const isOutside = (url: URL) => /^https?:/.test(url.protocol) && !['127.0.0.1', 'localhost'].includes(url.hostname);
  await context.route(isOutside, route => {
    outside.push(route.request().url());
    return route.abort();
  });
  return { context, outside, close: () => browser.close() };
}

/** @param payload of a test run: extensionDevelopmentPath and extensionTestsPath */
export async function openWorkbench(
  { context }: BrowserSession,
  server: CodeServer,
  folder: string,
  payload?: readonly (readonly [string, string])[],
  prepare?: (page: Page) => Promise<void>,
): Promise<Page> {
  const page = await context.newPage();
  await prepare?.(page);
  const query = new URLSearchParams({ folder, ...(payload ? { payload: JSON.stringify(payload) } : {}) });
  await page.goto(`${server.url}/?${query}`);
  await page.locator('.monaco-workbench').waitFor({ timeout: READY_MS });
  await page.locator('.statusbar-item').first().waitFor({ timeout: READY_MS });
  return page;
}

/** The palette's list is a snapshot, so it is opened again until the extension's command is in it. */
export async function runCommand(page: Page, title: string, timeoutMs = 30_000): Promise<void> {
  const widget = page.locator('.quick-input-widget');
  const row = widget.locator('.quick-input-list .monaco-list-row').filter({ hasText: title }).first();
  for (const end = Date.now() + timeoutMs; ; await pause(300)) {
    await page.keyboard.press('F1');
    const input = widget.locator('input[type=text]');
    await input.waitFor();
    await input.fill(`>${title}`);
    try {
      await row.waitFor({ timeout: 1_500 });
      return await row.click();
    } catch (error) {
      if (Date.now() > end) throw error;
      await page.keyboard.press('Escape');
    }
  }
}

/** Takes the row with this text in the quick pick that is open, or about to be. */
export async function pick(page: Page, text: string | RegExp, timeoutMs = 20_000): Promise<void> {
  const row = page.locator('.quick-input-widget .quick-input-list .monaco-list-row').filter({ hasText: text }).first();
  await row.waitFor({ timeout: timeoutMs });
  await row.click();
}

export async function openFile(page: Page, name: string): Promise<void> {
  await page.keyboard.press('Control+P');
  await page.locator('.quick-input-widget input[type=text]').fill(name);
  await pick(page, name);
}

/** A webview's own frame, found by what is in it: several exist at once, each nested in another. */
export async function webview(page: Page, selector: string, timeoutMs = 20_000): Promise<Frame> {
  for (const end = Date.now() + timeoutMs; Date.now() < end; await pause(100))
    for (const frame of page.frames().filter(each => each.url().includes('fake.html'))) {
      const found = await frame
        .locator(selector)
        .count()
        .catch(() => 0);
      if (found > 0) return frame;
    }
  throw new Error(`no webview has ${selector}`);
}

/** Monaco listens to the mouse itself, and Playwright's own click scrolls what mustn't scroll. */
export async function mouseClick(page: Page, target: Locator): Promise<void> {
  const box = await target.boundingBox();
  if (!box) throw new Error('what is to be clicked is not on the screen');
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}
