// A workbench with the packaged extension and a copy of the examples, for one test file.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { inject } from 'vitest';
import { startCodeServer, type CodeServer } from '../../../extension/scripts/codeServer.mjs';
import {
  drivenSettings,
  launchBrowser,
  openWorkbench,
  type BrowserSession,
} from '../../integration/support/workbenchPage.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
/** Screenshots, for looking at and for the README. */
const SHOTS = process.env['TUNEWRIGHT_SCREENSHOTS'];

export interface WorkbenchSession {
  workspace: string;
  /** The user's settings.json. */
  settingsFile: string;
  browser: BrowserSession;
  /** @param from another browser: a window behind another of the same one draws nothing */
  open(from?: BrowserSession): Promise<Page>;
  /** Kept where TUNEWRIGHT_SCREENSHOTS names a folder. */
  shot(page: Page, name: string): Promise<void>;
  close(): Promise<void>;
}

export async function startWorkbench(
  options: {
    workspaceTrust?: boolean;
    settings?: Record<string, unknown>;
    /** Of the extension host and whatever it starts. */
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
    open: (from = browser) => openWorkbench(from, server, workspace),
    shot: async (page, name) => {
      if (!SHOTS) return;
      mkdirSync(SHOTS, { recursive: true });
      // What fades in is shown at its end.
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

/** Training outlives its window; it mustn't outlive a test that failed. */
function endTraining(workspace: string): void {
  const runs = join(workspace, 'runs');
  for (const name of existsSync(runs) ? readdirSync(runs) : [])
    try {
      process.kill(JSON.parse(readFileSync(join(runs, name, 'process.json'), 'utf8')).pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
}
