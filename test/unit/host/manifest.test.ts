// package.json's contributions: commands with category and enablement, context keys, settings with descriptions, and
// where the extension may run. How VS Code shows them is tested in test/e2e/workbench.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inputJsonSchema } from '../../../extension/src/core/forms/zodSchema.js';
import { clustersSchema } from '../../../extension/src/protocol/clusters.js';

const root = new URL('../../..', import.meta.url).pathname;
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const { commands, menus, configuration, views, viewsWelcome, walkthroughs } = manifest.contributes;

interface Command {
  command: string;
  title: string;
  category: string;
  enablement?: string;
}
const byTitle = new Map<string, Command>(commands.map((each: Command) => [each.title.replace(/\.{3}$/, ''), each]));

test.each([
  ['Fine-Tune a Model', 'isWorkspaceTrusted'],
  ['Fine-Tune with This Dataset', 'isWorkspaceTrusted'],
  ['Start Run from File', 'isWorkspaceTrusted'],
  ['Stop Run', 'isWorkspaceTrusted && tunewright.aliveRuns > 0'],
  ['Pause Run', 'isWorkspaceTrusted && tunewright.runningRuns > 0'],
  [
    'Save Checkpoint Now',
    'isWorkspaceTrusted && tunewright.runningRuns > 0 || isWorkspaceTrusted && tunewright.pausedRuns > 0',
  ],
  [
    'Resume Run',
    'isWorkspaceTrusted && tunewright.pausedRuns > 0 || isWorkspaceTrusted && tunewright.resumableRuns > 0',
  ],
  ['Start Run Again', 'isWorkspaceTrusted && tunewright.allRuns > 0'],
  ['Train Further', 'isWorkspaceTrusted && tunewright.results > 0'],
  ['Open Dashboard', 'tunewright.allRuns > 0'],
  ['Compare Runs', 'tunewright.allRuns > 1'],
  ['Preview Dataset', undefined],
  ['Estimate Memory and Parameters', 'isWorkspaceTrusted'],
  ['Install Training Engine', 'isWorkspaceTrusted'],
  ['Pull Model', 'isWorkspaceTrusted'],
  ['Clean Up', 'isWorkspaceTrusted'],
  ['Report a Problem', 'isWorkspaceTrusted'],
  ['Open Walkthrough', undefined],
])('%s is a command with its enablement', (title, enablement) => {
  expect(byTitle.get(title)?.enablement).toBe(enablement);
});

test('ending a pause and going on from a checkpoint have one name, Resume, wherever commands are shown', () => {
  expect((commands as Command[]).filter(({ title }) => /\bcontinue\b/i.test(title))).toEqual([]);
  const states = (menus['view/item/context'] as { command: string; when: string }[])
    .filter(({ command }) => command === 'tunewright.resumeRun')
    .map(({ when }) => /b(\w+)\\b/.exec(when)?.[1]);
  expect(new Set(states)).toEqual(new Set(['paused', 'resumable']));
});

test('every command has the category Tunewright, and menus only have contributed commands', () => {
  for (const { command, category } of commands as Command[])
    expect([command, category]).toEqual([command, 'Tunewright']);
  const inView = Object.values(menus as Record<string, { command: string }[]>).flat();
  const known = new Set((commands as Command[]).map(({ command }) => command));
  expect(inView.map(({ command }) => command).filter(command => !known.has(command))).toEqual([]);
});

const sources = readdirSync(join(root, 'extension/src/host'), { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts'))
  .map(name => readFileSync(join(root, 'extension/src/host', name), 'utf8'))
  .join('\n');

test('every context key in a clause is set in the code', () => {
  const clauses = [...JSON.stringify(manifest.contributes).matchAll(/"(?:when|enablement)":"((?:[^"\\]|\\.)*)"/g)];
  const ids = new Set(Object.values(views as Record<string, { id: string }[]>).flatMap(all => all.map(({ id }) => id)));
  const keys = new Set(clauses.flatMap(([, clause]) => clause!.match(/\btunewright\.[\w.]+/g) ?? []));
  const editors = ['tunewright.datasetPreview', 'tunewright.parquetPreview'];
  const unset = [...keys].filter(key => !ids.has(key) && !editors.includes(key));
  expect(unset.length).toBeGreaterThan(5);
  expect(
    unset.filter(key => !sources.includes(`'${key.replace(/^tunewright\./, '')}'`) && !sources.includes(`'${key}'`)),
  ).toEqual([]);
});

test('the clusters of the settings have the schema of clusters.json', () => {
  const { items } = inputJsonSchema(clustersSchema);
  expect(configuration.properties['tunewright.clusters'].items, 'stale: npm run schemas').toEqual(
    JSON.parse(JSON.stringify(items)),
  );
  expect(configuration.properties['tunewright.clusters'].scope, 'no workspace can say where runs are sent').toBe(
    'machine',
  );
});

test('every setting, and each of its values, has a description', () => {
  for (const [key, setting] of Object.entries<any>(configuration.properties)) {
    expect([key, setting.description ?? setting.markdownDescription]).toEqual([key, expect.stringMatching(/\w.*\.$/)]);
    if (setting.enum) expect(setting.enumDescriptions).toHaveLength(setting.enum.length);
    expect(setting).toHaveProperty('default');
  }
});

test('it runs where the files are, not in virtual workspaces, and limited without trust', () => {
  expect(manifest.extensionKind).toEqual(['workspace']);
  expect(manifest.capabilities.virtualWorkspaces).toMatchObject({ supported: false });
  expect(manifest.capabilities.untrustedWorkspaces).toMatchObject({ supported: 'limited' });
});

test('it is compiled against the oldest VS Code that it supports', () => {
  const [, needed] = /^\^(\d+\.\d+)\./.exec(manifest.engines.vscode)!;
  const { version } = JSON.parse(readFileSync(join(root, 'node_modules/@types/vscode/package.json'), 'utf8'));
  expect(version.startsWith(`${needed}.`)).toBe(true);
});

test('each step of the walkthrough is completed by something that the code does', () => {
  const known = new Set((commands as Command[]).map(({ command }) => command));
  const steps = walkthroughs[0].steps as { id: string; completionEvents?: string[] }[];
  expect(steps.map(({ id }) => id)).toEqual(['install', 'dataset', 'run', 'watch', 'try', 'runFile']);
  for (const { id, completionEvents = [] } of steps) {
    // However the user did it, and not only by the command of the step's own button.
    expect([id, completionEvents]).toEqual([id, expect.arrayContaining([`onContext:tunewright.done.${id}`])]);
    expect([id, sources.includes(`stepDone('${id}')`)]).toEqual([id, true]);
    for (const event of completionEvents) {
      const [, kind, what] = /^(onCommand|onContext):([\w.]+)$/.exec(event)!;
      expect([event, kind === 'onContext' || known.has(what!)]).toEqual([event, true]);
    }
  }
});

test('an empty view and each step of the walkthrough say what to do', () => {
  const welcomed = new Set(viewsWelcome.map(({ view }: { view: string }) => view));
  for (const view of ['tunewright.runs', 'tunewright.models']) expect(welcomed).toContain(view);
  for (const { description, media } of walkthroughs[0].steps) {
    expect(description.length).toBeGreaterThan(20);
    expect(readFileSync(join(root, media.markdown), 'utf8')).toMatch(/^# /);
  }
  const asked = [...JSON.stringify([viewsWelcome, walkthroughs]).matchAll(/command:(tunewright\.[\w.]+)/g)];
  const known = new Set((commands as Command[]).map(({ command }) => command));
  expect(asked.length).toBeGreaterThan(4);
  expect(asked.filter(([, command]) => !known.has(command!))).toEqual([]);
});
