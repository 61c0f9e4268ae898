// A workbench with the packaged extension and a copy of the examples, for one test file.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterEach, inject } from 'vitest';
import { startCodeServer, type CodeServer } from '../../../extension/scripts/codeServer.mjs';
import { signalHolder } from '../../../extension/src/system/fileClaim.js';
import {
  drivenSettings,
  launchBrowser,
  openWorkbench,
  summary,
  type BrowserSession,
} from '../../integration/support/workbenchPage.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
/** Within which the small run of a test ends. */
export const TRAINING_MS = 300_000;
/** Folder for screenshots, for inspection and for the README. */
const SHOTS = process.env['TUNEWRIGHT_SCREENSHOTS'];

const pages = new Set<Page>();
afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail') return;
  for (const page of pages) {
    const seen = page.isClosed() ? 'closed' : await summary(page).catch(String);
    console.log(`After "${task.name}" failed, ${page.url()} showed\n${seen}`);
  }
});

export interface WorkbenchSession {
  workspace: string;
  /** The user's settings.json. */
  settingsFile: string;
  browser: BrowserSession;
  /** @param from another browser, since a window hidden behind another of the same browser isn't rendered */
  open(from?: BrowserSession): Promise<Page>;
  /** Takes a screenshot if TUNEWRIGHT_SCREENSHOTS is set. */
  shot(page: Page, name: string): Promise<void>;
  close(): Promise<void>;
}

export async function startWorkbench(
  options: {
    workspaceTrust?: boolean;
    settings?: Record<string, unknown>;
    /** Environment of the extension host and the processes it starts. */
    env?: Record<string, string>;
    emptyCache?: boolean;
  } = {},
): Promise<WorkbenchSession> {
  const folder = mkdtempSync(join(tmpdir(), 'tunewright-e2e-'));
  const workspace = join(folder, 'workspace');
  cpSync(join(root, 'media/datasets'), join(workspace, 'datasets'), { recursive: true });
  mkdirSync(join(workspace, 'examples'));
  cpSync(join(root, 'media/examples/pirate.tune.json'), join(workspace, 'examples/pirate.tune.json'));
  const server: CodeServer = await startCodeServer({
    folder: join(folder, 'server'),
    vsix: inject('vsix'),
    workspaceTrust: options.workspaceTrust,
    env: { ...(options.emptyCache ? { TUNEWRIGHT_CACHE: join(folder, 'cache') } : {}), ...options.env },
    settings: {
      ...drivenSettings,
      'security.workspace.trust.startupPrompt': 'always',
      'tunewright.onWindowClose': 'keepRunning',
      ...options.settings,
    },
  });
  const browser = await launchBrowser();
  return {
    workspace,
    settingsFile: join(folder, 'server/user/User/settings.json'),
    browser,
    open: async (from = browser) => {
      const page = await openWorkbench(from, server, workspace);
      pages.add(page);
      return page;
    },
    shot: async (page, name) => {
      if (!SHOTS) return;
      mkdirSync(SHOTS, { recursive: true });
      // Shows animations at their end.
      await page.screenshot({ path: join(SHOTS, `${name}.png`), animations: 'disabled' });
    },
    close: async () => {
      await browser.close();
      await server.stop();
      endTraining(workspace);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Training outlives its window, but mustn't outlive a failed test. */
function endTraining(workspace: string): void {
  const all = existsSync(workspace) ? readdirSync(workspace, { recursive: true, encoding: 'utf8' }) : [];
  // A race before its runs, or it would start the next one.
  const held = all.filter(name => basename(name) === 'process.json').sort((a, b) => a.length - b.length);
  for (const name of held)
    try {
      signalHolder(join(workspace, name), 'SIGKILL');
    } catch {
      // Already ended.
    }
}
