// Restricted Mode in a hostile workspace that is opened, browsed and closed: previews work, nothing is written, started, signalled or
// requested, and the views say what to do. Then it is trusted.
import { spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { offeredCommands, openFile, openSidebar, webview } from '../../integration/support/workbenchPage.js';
import { listen, type Loopback } from '../../support/loopback.js';
import { startWorkbench, type WorkbenchSession } from './session.js';

const FIXTURES = new URL('../../fixtures/', import.meta.url).pathname;

let session: WorkbenchSession;
let page: Page;
/** What a hostile workspace brings: settings, links to a file of the user and to an endless device, and the pid of a process. */
let precious: string;
let victim: ChildProcess;
/** Is asked by nobody: programs and addresses that settings and files of the workspace name. */
let bait: Loopback;
/** What the workspace and the folder around it had before it was opened. */
let before: Record<string, string>;

function layTraps(workspace: string): void {
  const runs = join(workspace, 'runs');
  for (const name of ['evil', 'endless']) mkdirSync(join(runs, name), { recursive: true });
  mkdirSync(join(workspace, '.vscode'));
  const write = (path: string, value: unknown) => writeFileSync(path, JSON.stringify(value));
  const program = join(runs, 'program.sh');
  writeFileSync(program, `#!/bin/sh\necho ran > ${join(workspace, '..', 'ran')}\n`, { mode: 0o755 });
  write(join(workspace, '.vscode', 'settings.json'), {
    'tunewright.onWindowClose': 'stop',
    'tunewright.nodePath': program,
    'tunewright.runsFolder': join(workspace, '..'),
    'tunewright.previewModel': join(workspace, 'model'),
  });
  mkdirSync(join(workspace, 'model'));
  write(join(workspace, 'model', 'tokenizer_config.json'), {
    chat_template: '{% for i in range(10**9) %}{% endfor %}',
  });
  symlinkSync('/dev/zero', join(workspace, 'model', 'tokenizer.json'));
  const hub = `${bait.url}/org/model`;
  write(join(workspace, 'hostile.tune.json'), {
    ...{ name: '[x](command:workbench.action.terminal.new)', model: hub, dataset: { train: '/dev/zero' } },
    method: { peft_type: 'LORA', target_modules: '([a-z._0-9]+)+!' },
  });
  write(join(workspace, 'hostile.race.json'), { name: 'x', run: { model: hub }, vary: [{}] });
  write(join(workspace, 'hostile.eval.jsonl'), { prompt: 'x', checks: [{ type: 'regex', pattern: '(a+)+$' }] });
  const row = { messages: [{ role: '[click](command:x)', content: '\u001b]0;x\u0007'.repeat(50) }] };
  writeFileSync(join(workspace, 'hostile.messages.jsonl'), `${JSON.stringify(row)}\n`.repeat(2000));
  for (const name of ['fatal-992-bytes.parquet', 'unhandled-rejection.parquet'])
    copyFileSync(join(FIXTURES, 'parquet/damaged', name), join(workspace, name));
  write(join(runs, 'evil', 'run.json'), { name: 'evil' });
  victim = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 1e9)', 'tunewright', 'train']);
  write(join(runs, 'evil', 'process.json'), { pid: victim.pid, started: '2099-01-01T00:00:00.000Z' });
  precious = join(workspace, '..', 'precious');
  writeFileSync(precious, 'precious');
  for (const name of ['attended.json', 'commands.ndjson']) symlinkSync(precious, join(runs, 'evil', name));
  for (const name of ['run.json', 'process.json', 'engine.log', 'events.ndjson'])
    symlinkSync('/dev/zero', join(runs, 'endless', name));
}

/** Path -> kind, time and content of all that is in the workspace, and names beside it. */
function contents(): Record<string, string> {
  const beside = readdirSync(dirname(session.workspace)).toSorted().join();
  const within = readdirSync(session.workspace, { recursive: true, encoding: 'utf8' }).map(name => {
    const path = join(session.workspace, name);
    const stat = lstatSync(path);
    return [name, `${stat.mode} ${stat.mtimeMs} ${stat.isFile() ? readFileSync(path, 'latin1') : ''}`];
  });
  return { beside, precious: readFileSync(precious, 'utf8'), ...Object.fromEntries(within) };
}

/** Of the processes that this session has started: they have its folder in their command line or environment. */
function commandLines(): string[] {
  const folder = dirname(session.workspace);
  return processes()
    .filter(({ line, environment }) => line.includes(folder) || environment.includes(folder))
    .map(({ line }) => line);
}

function processes(): { pid: string; line: string; environment: string }[] {
  const text = (path: string) => {
    try {
      return readFileSync(path, 'utf8').replaceAll('\0', ' ');
    } catch {
      return '';
    }
  };
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(pid => ({ pid, line: text(`/proc/${pid}/cmdline`), environment: text(`/proc/${pid}/environ`) }));
}

/** In MB, of this session's process with these words in its command line. */
function memoryOf(words: string): number {
  const folder = dirname(session.workspace);
  const found = processes().find(({ line, environment }) => line.includes(words) && environment.includes(folder));
  const pages = found ? readFileSync(`/proc/${found.pid}/statm`, 'latin1').split(' ')[1] : '0';
  return Math.round((Number(pages) * 4096) / 1e6);
}

beforeAll(async () => {
  session = await startWorkbench({ workspaceTrust: true });
  bait = await listen((_request, response) => response.end());
  layTraps(session.workspace);
  before = contents();
  page = await session.open();
  const dialog = page.locator('.monaco-dialog-box');
  await dialog.locator('.monaco-button').filter({ hasText: /^No/ }).first().click();
});
afterAll(async () => {
  victim?.kill('SIGKILL');
  bait?.close();
  await session?.close();
});

test('the views ask to trust the workspace', async () => {
  const panel = await openSidebar(page);
  await panel.getByText('Restricted Mode: trust this workspace').waitFor();
  expect(await panel.getByRole('button', { name: 'Start Fine-Tuning' }).isEnabled()).toBe(false);
  // The view of runs shows them, and says why they can't be controlled.
  await page.getByText('Restricted Mode: runs can be viewed').waitFor();
  await page.locator('.monaco-list-row').filter({ hasText: 'evil' }).first().waitFor();
  await session.shot(page, 'restricted');
});

test('the palette offers nothing that trains', async () => {
  const offered = (await offeredCommands(page, 'Tunewright: ', 'Preview Dataset')).join('\n');
  const acting = ['Fine-Tune', 'Start Run', 'Pull Model', 'Install Training Engine', 'Stop Run', 'Delete Run'];
  for (const command of [...acting, 'Clean Up', 'Report a Problem', 'Push', 'Export'])
    expect(offered).not.toContain(command);
});

test('datasets can be viewed', async () => {
  await openFile(page, 'pirate.messages.jsonl');
  await page
    .locator('.codelens-decoration')
    .filter({ hasText: /messages/ })
    .first()
    .waitFor();
  await session.shot(page, 'restricted-dataset');
});

test('hostile files can be browsed', async () => {
  const files = ['hostile.tune.json', 'hostile.race.json', 'hostile.eval.jsonl', 'hostile.messages.jsonl'];
  const started = memoryOf('--type=extensionHost');
  for (const name of files) {
    await openFile(page, name);
    await page.locator('.monaco-editor').first().waitFor();
  }
  for (const name of ['fatal-992-bytes.parquet', 'unhandled-rejection.parquet']) {
    await openFile(page, name);
    await page.locator('.tab.active').filter({ hasText: name }).first().waitFor();
  }
  for (const run of ['evil', 'endless'])
    await page.locator('.monaco-list-row').filter({ hasText: run }).first().click();
  // Figures to look at; tests assert on none.
  console.log(`extension host: ${started} MB, after browsing ${memoryOf('--type=extensionHost')} MB`);
  await session.shot(page, 'restricted-hostile');
});

test('nothing was written, started, signalled or asked', () => {
  expect(contents()).toEqual(before);
  expect([victim.exitCode, victim.signalCode]).toEqual([null, null]);
  expect(bait.requests).toEqual([]);
  expect(commandLines().filter(line => /tunewright\.mjs|program\.sh/.test(line))).toEqual([]);
});

test('the run panel links to Workspace Trust', async () => {
  const panel = await webview(page, '.cards');
  await panel.getByRole('link', { name: 'Manage Workspace Trust' }).click();
  await page.locator('.workspace-trust-header').filter({ hasText: 'Restricted Mode' }).waitFor();
  await session.shot(page, 'restricted-trust');
});

test('once the workspace is trusted, the views are live without a reload, and the traps catch nothing', async () => {
  // A program that a trusted workspace names is run: that is what trust is.
  writeFileSync(join(session.workspace, '.vscode/settings.json'), '{"tunewright.onWindowClose":"stop"}');
  await page.getByRole('button', { name: 'Trust', exact: true }).first().click();
  await page.locator('.monaco-modal-editor-block .action-label[aria-label^="Close"]').first().click();
  await page.locator('.monaco-modal-editor-block').waitFor({ state: 'hidden' });
  const panel = await webview(page, '.cards');
  await panel.getByText('Restricted Mode: trust this workspace').waitFor({ state: 'hidden' });
  await expect.poll(() => page.getByText('Restricted Mode: runs can be viewed').count(), { timeout: 60_000 }).toBe(0);
  await offeredCommands(page, 'Tunewright: Delete Run', 'Delete Run');
  expect(readFileSync(precious, 'utf8')).toBe('precious');
  expect(readdirSync(join(session.workspace, 'runs')).toSorted()).toEqual(['endless', 'evil', 'program.sh']);
  expect([victim.exitCode, victim.signalCode]).toEqual([null, null]);
  await session.shot(page, 'trusted-afterwards');
});
