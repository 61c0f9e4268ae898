// The workbench in a real browser, driven as a person would: palette, quick picks, editors, webviews. Nothing may leave
// the machine; what tries to is aborted and told.
import type { BrowserContext, Frame, Locator, Page } from 'playwright-core';
import type { CodeServer } from '../../../extension/scripts/codeServer.mjs';
import { launchChromium } from '../../support/chromium.js';

/** Generous: what a busy machine needs for what a quiet one does in a second. */
const READY_MS = 90_000;

export interface BrowserSession {
  context: BrowserContext;
  /** Addresses outside this machine that something asked for. */
  outside: string[];
  close(): Promise<void>;
}

export async function launchBrowser(size = { width: 1280, height: 800 }): Promise<BrowserSession> {
  const browser = await launchChromium();
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
  page.setDefaultTimeout(READY_MS);
  await prepare?.(page);
  const query = new URLSearchParams({ folder, ...(payload ? { payload: JSON.stringify(payload) } : {}) });
  await page.goto(`${server.url}/?${query}`);
  await page.locator('.monaco-workbench').waitFor();
  await page.locator('.statusbar-item').first().waitFor();
  return page;
}

/**
 * Shows Tunewright's views, once a window, and waits for the run panel: VS Code gives a webview the focus when it has loaded, and
 * a palette opened before that loses it and closes.
 */
export async function openSidebar(page: Page): Promise<Frame> {
  await page.locator('.activitybar [aria-label^="Tunewright"]').first().click();
  const panel = await webview(page, '.cards');
  await until('the run panel has the focus', () => panel.evaluate<boolean>('document.hasFocus()'));
  return panel;
}

/**
 * Settings of every workbench that is driven from here: a palette that closes whenever something that still loads takes the focus
 * can't be told from one that has carried out its command.
 */
export const drivenSettings = { 'workbench.quickOpen.closeOnFocusLost': false };

/** Within which a row that was clicked is taken, on a busy machine too. */
const TAKEN_MS = 10_000;

const quickInput = (page: Page): Locator => page.locator('.quick-input-widget input[type=text]');
const quickRow = (page: Page, text: string | RegExp): Locator =>
  page.locator('.quick-input-widget .quick-input-list .monaco-list-row').filter({ hasText: text }).first();

/**
 * Opens the palette or Quick Open and waits for the row with this text. Their lists are snapshots and a window that still starts
 * may not hear the key, so they are opened again until the row is there.
 */
async function quickly(page: Page, key: string, text: string, row: Locator): Promise<void> {
  // Ever more patient: on a busy machine the first Escape would close what is just opening.
  for (let timeout = 2_000; ; timeout *= 2) {
    try {
      await page.keyboard.press(key);
      await quickInput(page).fill(text, { timeout });
      await row.waitFor({ timeout });
      return;
    } catch (error) {
      if (timeout > READY_MS) throw error;
      await page.keyboard.press('Escape');
    }
  }
}

/** The same, and takes the row: a list that is being filled anew loses a click, and may show no row for a moment. */
async function takeQuickly(page: Page, key: string, text: string, row: Locator): Promise<void> {
  await quickly(page, key, text, row);
  const input = quickInput(page);
  // Whatever asks next asks with a text of its own.
  const isTaken = async () => !(await input.isVisible()) || (await input.inputValue()) !== text;
  // A row is clicked once it stands still, which takes longer the slower the page is drawn.
  let timeout = 1_000;
  await until(`${text} to be taken`, async () => {
    const isClicked = await row.click({ timeout }).then(
      () => true,
      () => false,
    );
    timeout *= 2;
    // A second click too early would land on what asks next, whose rows are at the same place.
    for (const end = Date.now() + (isClicked ? TAKEN_MS : 0); ; await pause(100)) {
      if (await isTaken()) return true;
      if (Date.now() > end) return false;
    }
  });
}

export async function runCommand(page: Page, title: string): Promise<void> {
  await takeQuickly(page, 'F1', `>${title}`, quickRow(page, title));
}

/** What the palette offers for this text, once it offers `atLeast`. Closes it again. */
export async function offeredCommands(page: Page, text: string, atLeast: string): Promise<string[]> {
  await quickly(page, 'F1', `>${text}`, quickRow(page, atLeast));
  const offered = await page.locator('.quick-input-widget .quick-input-list .monaco-list-row').allInnerTexts();
  await page.keyboard.press('Escape');
  return offered;
}

/** Takes the row with this text in the quick pick that is open, or about to be. */
export async function pick(page: Page, text: string | RegExp): Promise<void> {
  await quickRow(page, text).click();
}

export async function openFile(page: Page, name: string): Promise<void> {
  await takeQuickly(page, 'Control+P', name, quickRow(page, name));
}

/** Names a file in the dialog with this title, which is open or about to be; null: changes one's mind. */
export async function fileDialog(page: Page, title: string, path: string | null): Promise<void> {
  const dialog = page.locator('.quick-input-widget').filter({ hasText: title });
  const input = dialog.locator('input[type=text]');
  // Until it has read its folder it writes a name of its own over what is typed.
  await dialog.locator('.monaco-list-row').first().waitFor();
  if (path === null) await page.keyboard.press('Escape');
  else
    await until(`${path} to be taken`, async () => {
      await input.fill(path, { timeout: 1_000 }).catch(() => {});
      await input.press('Enter', { timeout: 1_000 }).catch(() => {});
      return dialog.isHidden();
    });
  await dialog.waitFor({ state: 'hidden' });
}

/** What can be clicked in the menu that is open: disabled items aren't among them. */
const menuItems = (page: Page): Locator => page.locator('.monaco-menu .action-item:not(.disabled) .action-label');
const menuIsClosed = async (page: Page): Promise<boolean> => (await page.locator('.monaco-menu').count()) === 0;
const rightClick = { button: 'right', timeout: 1_000 } as const;

/** Titles of this element's context menu, which is closed again. */
export async function contextMenu(target: Locator): Promise<string[]> {
  const page = target.page();
  let titles: string[] = [];
  // Whatever loads and takes the focus closes a menu: it is opened again.
  await until('a menu', async () => {
    // The hover of the element that was last clicked may cover this one.
    if (await menuIsClosed(page)) await target.click(rightClick).catch(() => page.mouse.move(0, 0));
    titles = (await menuItems(page).allInnerTexts()).filter(Boolean);
    return titles.length > 0;
  });
  await page.keyboard.press('Escape');
  await until('the menu to close', () => menuIsClosed(page));
  return titles;
}

/** Takes an item of a menu. @param open what opens the menu: a right click on this element unless told */
export async function chooseInMenu(
  target: Locator,
  title: string,
  open: () => Promise<void> = () => target.click(rightClick),
): Promise<void> {
  const page = target.page();
  const item = menuItems(page).filter({ hasText: title });
  // A menu hears no click in its first tenth of a second, and closes when something that has loaded takes the focus.
  await until(`${title} to be taken`, async () => {
    // The hover of the element that was last clicked may cover this one.
    if (await menuIsClosed(page)) await open().catch(() => page.mouse.move(0, 0));
    try {
      await item.click({ timeout: 1_000 });
      await page.locator('.monaco-menu').waitFor({ state: 'detached', timeout: 1_000 });
      return true;
    } catch {
      // The menu of another element, or of a selection that has changed since, never gets the item.
      if ((await item.count()) === 0) await page.keyboard.press('Escape');
      return false;
    }
  });
}

/** What a person would see first: what a test that failed says, since nothing else is kept of it. */
export async function summary(page: Page): Promise<string> {
  const texts = async (what: string, selector: string) => {
    const found = await page.locator(selector).filter({ visible: true }).allInnerTexts();
    return found.length === 0 ? [] : [`${what}: ${found.map(text => text.replace(/\s+/g, ' ').trim()).join(' | ')}`];
  };
  const parts: [string, string][] = [
    ['notifications', '.notification-list-item'],
    ['dialog', '.monaco-dialog-box'],
    ['quick pick', '.quick-input-widget'],
    ['active editor', '.tab.active'],
    ['side bar', '.sidebar .pane-header, .sidebar .monaco-list-row'],
    ['status bar', '.statusbar-item'],
  ];
  return (await Promise.all(parts.map(part => texts(...part)))).flat().join('\n');
}

/** A webview's own frame, found by what is in it: several exist at once, each nested in another. */
export async function webview(page: Page, selector: string, timeoutMs = READY_MS): Promise<Frame> {
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

/** Asks until the answer is yes. @throws Error that names what was waited for */
export async function until(what: string, ask: () => Promise<boolean>, timeoutMs = READY_MS): Promise<void> {
  for (const end = Date.now() + timeoutMs; !(await ask()); await pause(100))
    if (Date.now() > end) throw new Error(`waited ${timeoutMs / 1000} s in vain: ${what}`);
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}
