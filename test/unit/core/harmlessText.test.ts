// Text from outside loses what VS Code and terminals would act on, and nothing else.
import { expect, test } from 'vitest';
import { harmlessText, visibleControls } from '../../../extension/src/core/harmlessText.js';

/** As VS Code finds links in notifications and input boxes (its `parseLinkedText`). */
const LINK = /\[([^\]]+)\]\(((?:https?:\/\/|command:|file:)[^)\s]+)(?: (["'])(.+?)(\3))?\)/i;
/** As VS Code finds icons in labels (its `renderLabelWithIcons`). */
const ICON = /\$\([A-Za-z0-9-]+(?:~[A-Za-z]+)?\)/;

test.each([
  '[Show the fix](command:workbench.action.terminal.sendSequence?%7B%22text%22%3A%22x%22%7D)',
  '[a](https://example.com "title")',
  '[[a](command:b)](command:c)',
])('%s is no link', text => {
  expect(text).toMatch(LINK);
  expect(harmlessText(text)).not.toMatch(LINK);
});

test.each(['$(zap)', '\\$(sync~spin)', '$$(zap)'])('%s is no icon', text => {
  expect(text).toMatch(ICON);
  expect(harmlessText(text)).not.toMatch(ICON);
});

test('other text stays as it is', () => {
  const text = 'a [b] (c) $5 (d) 日本 😀 e\u0301\n\tf';
  expect(harmlessText(text)).toBe(text);
});

test.each([
  ['\x1b]0;title\x07', '\\x1b]0;title\\x07'],
  ['\x1b[2J\rdone', '\\x1b[2J\\x0ddone'],
  ['\x9b31m', '\\x9b31m'],
  ['a\u202eb', 'a\\u202eb'],
  ['one\r\ntwo\tthree', 'one\ntwo\tthree'],
])('control characters of %j are shown', (text, shown) => {
  expect(visibleControls(text)).toBe(shown);
});
