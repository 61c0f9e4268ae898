import { expect, test, vi } from 'vitest';

const editor = vi.hoisted(() => {
  class TabInputText {
    constructor(readonly uri: { scheme: string; fsPath: string }) {}
  }
  class TabInputCustom extends TabInputText {}
  class TabInputWebview {
    constructor(readonly viewType: string) {}
  }
  const activeTab = undefined as { input: unknown } | undefined;
  return {
    TabInputText,
    TabInputCustom,
    TabInputWebview,
    window: { activeTextEditor: undefined, tabGroups: { activeTabGroup: { activeTab } } },
  };
});
vi.mock('vscode', () => editor);

const { activeFile } = await import('../../../extension/src/host/activeFile.js');
const uri = { scheme: 'file', fsPath: '/w/rows.jsonl' };

test.each([
  ['a file whose text is not loaded yet', new editor.TabInputText(uri), uri],
  ['a dataset in its preview', new editor.TabInputCustom(uri), uri],
  ['a text that is no file', new editor.TabInputText({ scheme: 'untitled', fsPath: 'Untitled-1' }), undefined],
  ['a dashboard', new editor.TabInputWebview('dashboard'), undefined],
  ['a page of VS Code itself', undefined, undefined],
])('the active tab shows %s', (_, input, expected) => {
  editor.window.tabGroups.activeTabGroup.activeTab = { input };
  expect(activeFile()).toBe(expected);
});

test('no tab is open', () => {
  editor.window.tabGroups.activeTabGroup.activeTab = undefined;
  expect(activeFile()).toBeUndefined();
});
