// Stop texts, also across pieces: what is output is the text up to the first, never a part of one.
import { expect, test } from 'vitest';
import { heldLength, StopTexts } from '../../../../extension/src/core/text/stopTexts.js';
import { createRng } from '../../../../extension/src/engine/data/rng.js';

function output(stops: string[], pieces: string[]): { text: string; stopped: boolean } {
  const found = new StopTexts(stops);
  const text = pieces.map(piece => found.push(piece)).join('');
  return { text: text + found.end(), stopped: found.isStopped };
}

test.each([
  [['\n\n'], ['a\n', '\nb'], 'a', true],
  [['###'], ['a##', ' b#', '#'], 'a## b##', false],
  [['aab'], ['a', 'a', 'a', 'b', 'c'], 'a', true],
  [['ab', 'b'], ['xab'], 'x', true],
  [['STOP', 'TO'], ['xSTO', 'P'], 'xS', true],
  [['🙂'], ['a', '🙂b'], 'a', true],
  [[], ['a', 'b'], 'ab', false],
])('%j in %j', (stops, pieces, text, stopped) => {
  expect(output(stops, pieces)).toEqual({ text, stopped });
});

test('text is held back only while it may be the beginning of a stop text', () => {
  const found = new StopTexts(['User:']);
  expect(['Hi U', 'se', 'ful', ' Us'].map(piece => found.push(piece))).toEqual(['Hi ', '', 'Useful', ' ']);
  expect(heldLength('abcU', ['User:', 'cUx'])).toBe(2);
});

test('any splits of any text give what the whole gives', () => {
  const rng = createRng(3);
  const word = (length: number) => Array.from({ length }, () => 'ab'[rng.int(2)]!).join('');
  for (let round = 0; round < 2000; round++) {
    const stops = Array.from({ length: 1 + rng.int(3) }, () => word(1 + rng.int(4)));
    const text = word(rng.int(16));
    const pieces: string[] = [];
    for (let at = 0; at < text.length;) pieces.push(text.slice(at, (at += 1 + rng.int(3))));
    const ends = pieces.map((_, i) => pieces.slice(0, i + 1).join(''));
    // The first piece with which the text has one decides.
    const seen = ends.find(end => stops.some(stop => end.includes(stop)));
    const at = seen === undefined ? -1 : Math.min(...stops.map(stop => seen.indexOf(stop)).filter(i => i >= 0));
    const expected = at < 0 ? text : text.slice(0, at);
    expect(output(stops, pieces), JSON.stringify({ stops, pieces })).toEqual({ text: expected, stopped: at >= 0 });
  }
});
