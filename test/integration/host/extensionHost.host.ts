// Runs suite/*.ts inside the extension host of a real VS Code and tells each of its tests here. The workspace is a copy of
// the examples; the model is the embedded one.
import { build } from 'esbuild';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { startCodeServer } from '../../../extension/scripts/codeServer.mjs';
import { launchBrowser, openWorkbench } from '../support/workbenchPage.js';
import type { HostTestReport } from './suite/report.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tunewright-host-'));
/** All of it takes half a minute; a busy machine may take long. */
const SUITE_MS = 900_000;
const suite = join(root, 'dist/test/hostSuite.cjs');

afterAll(() => rmSync(folder, { recursive: true, force: true }));

await build({
  absWorkingDir: root,
  entryPoints: ['test/integration/host/suite/index.ts'],
  outfile: suite,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  external: ['vscode', 'mocha'],
});
const workspace = makeWorkspace();
const { results, figures } = await runSuite();
console.log('In the extension host:', figures);

test('the suite ran', () => expect(results.length).toBeGreaterThan(0));
for (const { title, durationMs, failure } of results)
  test(`${title} (${durationMs} ms)`, () => {
    if (failure) throw new Error(failure);
  });

function makeWorkspace(): string {
  const path = join(folder, 'workspace');
  mkdirSync(path);
  for (const name of ['datasets', 'examples']) cpSync(join(root, 'media', name), join(path, name), { recursive: true });
  writeFileSync(join(path, 'notes.txt'), 'hello\n');
  return path;
}

async function runSuite(): Promise<HostTestReport> {
  const server = await startCodeServer({ folder: join(folder, 'server'), testDriver: true });
  const browser = await launchBrowser();
  try {
    const said: string[] = [];
    const ended = new Promise<number>(resolve => {
      const paths = [
        ['extensionDevelopmentPath', `${server.authority}${root}`],
        ['extensionTestsPath', `${server.authority}${suite}`],
      ] as const;
      void openWorkbench(browser, server, workspace, paths, async page => {
        await page.exposeFunction('codeAutomationLog', (_type: string, args: unknown[]) => {
          said.push(args.map(String).join(' '));
        });
        await page.exposeFunction('codeAutomationExit', (code: number) => resolve(code));
      });
    });
    const code = await Promise.race([
      ended,
      new Promise<null>(resolve => setTimeout(() => resolve(null), SUITE_MS).unref()),
    ]);
    const file = join(workspace, 'host-results.json');
    if (!existsSync(file))
      throw new Error(`the extension host ended with ${code} and no results:\n${said.slice(-20).join('\n')}`);
    return JSON.parse(readFileSync(file, 'utf8')) as HostTestReport;
  } finally {
    await browser.close();
    await server.stop();
  }
}
