// Restricted Mode: every setting is classified, every act of the host asks for trust, and nothing acts in another place. Loops over
// package.json, the acts and the sources, so that a new setting, command or import fails here until it is classified.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { UntrustedWorkspaceError } from '../../extension/src/host/services.js';
import { requireTrust, trusted } from '../../extension/src/host/trustedActions.js';

vi.mock('vscode', () => ({ workspace: { isTrusted: false } }));

const root = new URL('../..', import.meta.url).pathname;
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const { restrictedConfigurations } = manifest.capabilities.untrustedWorkspaces;

/** Whether the value that a workspace gives a setting counts without trust, and why. */
const SETTINGS: Record<string, 'restricted' | 'harmless'> = {
  // A program that is started.
  'tunewright.nodePath': 'restricted',
  // Where runs are sent; a workspace can't set it in any case.
  'tunewright.clusters': 'restricted',
  // A folder that is watched and written to.
  'tunewright.runsFolder': 'restricted',
  // Writes into run folders and ends runs.
  'tunewright.onWindowClose': 'restricted',
  // Any folder, whose tokenizer and template are then evaluated.
  'tunewright.previewModel': 'restricted',
  // How long a model stays in memory; none is loaded without trust.
  'tunewright.sessionIdleMinutes': 'harmless',
  // Where a server listens.
  'tunewright.serverPort': 'restricted',
  // How rows are shown.
  'tunewright.preview.maxLength': 'harmless',
  'tunewright.preview.codeLens': 'harmless',
  'tunewright.preview.decorations': 'harmless',
  'tunewright.preview.diagnostics': 'harmless',
};

describe('settings', () => {
  it.each(Object.keys(manifest.contributes.configuration.properties))('%s', key => {
    expect(SETTINGS[key], 'a new setting needs an entry in this test').toBeDefined();
    expect(restrictedConfigurations.includes(key)).toBe(SETTINGS[key] === 'restricted');
  });

  it('none is restricted that doesn’t exist', () => {
    const keys = Object.keys(manifest.contributes.configuration.properties);
    expect(restrictedConfigurations.filter((key: string) => !keys.includes(key))).toEqual([]);
  });
});

/** Commands that only show or copy something. */
const SHOWING = [
  ...['openDashboard', 'compareRuns', 'revealRun', 'openRunLog', 'copyRunPath', 'previewDataset', 'openRunFileInPanel'],
  ...['runPanel.openFile', 'runPanel.reset', 'copyModelId', 'revealAdapter', 'revealModel', 'copyAdapterPath'],
  ...['groupRuns.none', 'groupRuns.dataset', 'groupRuns.model', 'groupRuns.status'],
  ...['openWalkthrough', 'openSettings', 'showOutput', 'openRace'],
].map(name => `tunewright.${name}`);

it.each(manifest.contributes.commands as { command: string; enablement?: string }[])(
  'the command $command is disabled unless it only shows something',
  ({ command, enablement = '' }) => {
    if (SHOWING.includes(command)) return expect(enablement).not.toContain('isWorkspaceTrusted');
    // Each alternative, as a clause has no parentheses.
    for (const clause of enablement.split('||')) expect(clause).toContain('isWorkspaceTrusted');
  },
);

it.each(Object.keys(trusted))('%s throws without trust', name => {
  const act = trusted[name as keyof typeof trusted] as (...args: unknown[]) => unknown;
  expect(() => act('/nonexistent/file', '/nonexistent/other', {})).toThrow(UntrustedWorkspaceError);
  expect(requireTrust).toThrow(UntrustedWorkspaceError);
});

const host = join(root, 'extension/src/host');
const sources = readdirSync(host, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts'))
  .map(name => ({ name, text: readFileSync(join(host, name), 'utf8') }));

/** What a file of the host may import of Node to look at the disk; files are opened by system/regularFile.ts. */
const LOOKING = ['closeSync', 'existsSync', 'lstatSync', 'readdirSync', 'statSync', 'readdir', 'stat'];

/** File -> what else it imports, and why that needs no trust. */
const EXCEPTIONS: Record<string, string[]> = {
  // The one place that acts.
  'trustedActions.ts': ['execFile', 'renameSync', 'rm', 'rmSync', 'spawn'],
  // Our own program, which only reads rows.
  'datasets/datasetWorkerClient.ts': ['fork'],
};

it.each(sources)('$name acts by trustedActions.ts only', ({ name, text }) => {
  const imports = [...text.matchAll(/import (type )?\{([^}]*)\} from 'node:(fs|fs\/promises|child_process)'/g)]
    .filter(([, isType]) => !isType)
    .flatMap(([, , names]) => names!.split(','))
    .map(each => each.trim())
    .filter(each => each !== '' && !each.startsWith('type '));
  expect(imports.filter(each => !LOOKING.includes(each)).toSorted()).toEqual(EXCEPTIONS[name] ?? []);
  expect(text).not.toMatch(
    /from 'node:(net|http|https|worker_threads|cluster)'|import \* as \w+ from 'node:(fs|child)/,
  );
  expect(text).not.toMatch(/process\.kill|workspace\.fs\b|createTerminal|tasks\.executeTask/);
  if (name !== 'trustedActions.ts')
    expect(text).not.toMatch(/\b(writeWhole|appendLine|makeFolder|signalHolder|claimFile)\b.*from/);
});
