// Hostile text in each place where VS Code renders links or icons, and no way to show text that goes around window.ts.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test, vi } from 'vitest';

const window = vi.hoisted(() => ({
  showInformationMessage: vi.fn(),
  showWarningMessage: vi.fn(),
  showErrorMessage: vi.fn(),
  showQuickPick: vi.fn(),
  showInputBox: vi.fn(),
  withProgress: vi.fn(),
  setStatusBarMessage: vi.fn(),
}));
vi.mock('vscode', () => ({ window }));

const shown = await import('../../../extension/src/host/window.js');

const HOSTILE = '[Show the fix](command:workbench.action.terminal.sendSequence) $(zap)';
const RENDERED = /\]\(|\$\(zap\)/;

beforeEach(() => vi.clearAllMocks());

test.each(['showInformationMessage', 'showWarningMessage', 'showErrorMessage'] as const)(
  '%s shows text and detail as they are, and keeps options and buttons',
  async name => {
    window[name].mockResolvedValue('Open');
    expect(await shown[name](HOSTILE, { modal: true, detail: HOSTILE }, 'Open')).toBe('Open');
    const [message, options, button] = window[name].mock.calls[0]!;
    expect(message).not.toMatch(RENDERED);
    expect(message).toContain('Show the fix');
    expect(options.modal).toBe(true);
    expect(options.detail).not.toMatch(RENDERED);
    expect(button).toBe('Open');
  },
);

test('a quick pick shows items as text with its own icon, and returns the item given', async () => {
  window.showQuickPick.mockImplementation(async (items: Promise<unknown[]>) => (await items)[1]);
  const items = [
    { label: 'a' },
    { icon: 'database', label: HOSTILE, description: HOSTILE, detail: HOSTILE, path: 'p' },
  ];
  expect(await shown.showQuickPick(items, { title: 't' })).toBe(items[1]);
  const [, item] = await window.showQuickPick.mock.calls[0]![0];
  expect(item.label).toMatch(/^\$\(database\) /);
  for (const text of [item.label, item.description, item.detail]) expect(text).not.toMatch(RENDERED);
});

test('a quick pick of several returns the items given', async () => {
  window.showQuickPick.mockImplementation(async (items: Promise<unknown[]>) => items);
  const items = [{ label: 'a' }, { label: 'b' }];
  expect(await shown.showQuickPick(items, { canPickMany: true })).toEqual(items);
});

test('an input box shows prompt and problems as text', async () => {
  await shown.showInputBox({ prompt: HOSTILE, validateInput: () => HOSTILE });
  const [{ prompt, validateInput }] = window.showInputBox.mock.calls[0]!;
  expect(prompt).not.toMatch(RENDERED);
  expect(await validateInput('x')).not.toMatch(RENDERED);
});

test('progress shows title and messages as text', async () => {
  const report = vi.fn();
  window.withProgress.mockImplementation((_options, task) => task({ report }, {}));
  await shown.withProgress({ location: 15, title: HOSTILE }, async progress => {
    progress.report({ message: HOSTILE, increment: 3 });
  });
  expect(window.withProgress.mock.calls[0]![0].title).not.toMatch(RENDERED);
  expect(report.mock.calls[0]![0].message).not.toMatch(RENDERED);
  expect(report.mock.calls[0]![0].increment).toBe(3);
});

test('the status bar shows its own icon only', () => {
  shown.tellBriefly('check', HOSTILE);
  expect(window.setStatusBarMessage.mock.calls[0]![0]).toMatch(/^\$\(check\) /);
  expect(window.setStatusBarMessage.mock.calls[0]![0]).not.toMatch(RENDERED);
});

test('nothing else in the host shows text where links or icons are rendered', () => {
  const host = new URL('../../../extension/src/host', import.meta.url).pathname;
  const names = readdirSync(host, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'));
  const ways =
    /vscode\.window\s*\.(?:show(?:Information|Warning|Error)Message|showQuickPick|createQuickPick|showInputBox|createInputBox|withProgress|setStatusBarMessage)\b|'\$\(|`\$\(|isTrusted = true|enabledCommands/;
  const found = names.filter(name => name !== 'window.ts' && ways.test(readFileSync(join(host, name), 'utf8')));
  // The hover escapes all text itself; its icon is its own.
  expect(found).toEqual(['datasets/hover.ts']);
});
