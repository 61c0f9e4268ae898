// Webviews define no colours: everything uses theme variables, so that all themes work.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const folder = new URL('../../../webview/src/', import.meta.url).pathname;
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
const text = (name: string) => readFileSync(join(folder, name), 'utf8').replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, '');

test.each(files.filter(name => name.endsWith('.css')))('%s', name => {
  const coloured = [
    ...text(name).matchAll(/^\s*(?:[\w-]*color|background|fill|stroke|border[\w-]*|outline):\s*([^;]+);/gm),
  ];
  const own = coloured
    .map(([, value]) => value!)
    // The rest, without theme variables and their fallbacks.
    .map(value => value.replace(/var\([^;]*\)/g, ''))
    .filter(value => /#|rgb|hsl|\b(?:black|white|gray|grey|red|green|blue|yellow|orange|purple)\b/.test(value));
  expect(own).toEqual([]);
  expect(text(name)).not.toMatch(/#[0-9a-f]{3,8}\b|rgba?\(|hsla?\(/i);
});

test('scripts use theme variables only', () => {
  for (const name of files.filter(each => each.endsWith('.ts')))
    expect([name, text(name).match(/['"`]#[0-9a-f]{3,8}['"`]|rgba?\(|hsla?\(/gi)]).toEqual([name, null]);
});
