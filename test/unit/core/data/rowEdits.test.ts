import { describe, expect, test } from 'vitest';
import {
  placeOfRoleFault,
  removeRows,
  repairJson,
  repairRoles,
  type TextEdit,
} from '../../../../extension/src/core/data/rowEdits.js';
import type { ScannedFileType } from '../../../../extension/src/core/data/rowFileTypes.js';
import { rowLayout } from '../../../../extension/src/core/data/rowLayout.js';
import { rowScanner } from '../../../../extension/src/core/data/rowScanner.js';

function apply(text: string, edits: readonly TextEdit[]): string {
  return [...edits]
    .reverse()
    .reduce((result, { start, end, text }) => result.slice(0, start) + text + result.slice(end), text);
}

function without(text: string, fileType: ScannedFileType, ...removed: number[]): string {
  const rows: { start: number; end: number }[] = [];
  const units = Uint16Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
  const scanner = rowScanner(rowLayout(fileType, units, true), (start, end) => rows.push({ start, end }));
  scanner.push(units);
  scanner.finish();
  if (fileType === 'csv') rows.shift();
  return apply(text, removeRows(rows, new Set(removed)));
}

describe('rows are removed with their separators', () => {
  test('JSONL', () => {
    const text = '{"a":0}\n{"a":1}\n\n{"a":2}\n{"a":3}\n';
    expect(without(text, 'jsonl', 1)).toBe('{"a":0}\n{"a":2}\n{"a":3}\n');
    expect(without(text, 'jsonl', 0, 1)).toBe('{"a":2}\n{"a":3}\n');
    expect(without(text, 'jsonl', 3)).toBe('{"a":0}\n{"a":1}\n\n{"a":2}\n');
    expect(without(text, 'jsonl', 2, 3)).toBe('{"a":0}\n{"a":1}\n');
    expect(without(text, 'jsonl', 0, 1, 2, 3)).toBe('\n');
  });

  test('a JSON list stays valid', () => {
    const text = '[\n  {"a": 0},\n  {"a": 1},\n  {"a": 2}\n]\n';
    for (const removed of [[0], [1], [2], [0, 1], [1, 2], [0, 2], [0, 1, 2]]) {
      const kept = [0, 1, 2].filter(row => !removed.includes(row)).map(a => ({ a }));
      expect(JSON.parse(without(text, 'json', ...removed)), String(removed)).toEqual(kept);
    }
  });

  test('CSV keeps its header', () => {
    expect(without('a,b\n"x\ny",1\nz,2\n', 'csv', 0)).toBe('a,b\nz,2\n');
    expect(without('a,b\n"x\ny",1\nz,2\n', 'csv', 0, 1)).toBe('a,b\n\n');
  });
});

describe('repairs', () => {
  test('JSON with a trailing comma, a comment, a missing brace', () => {
    for (const text of ['{"a": 1,}', '{"a": 1 /* one */}', '{"a": 1']) {
      expect(JSON.parse(apply(text, repairJson(text)!.edits))).toEqual({ a: 1 });
    }
    expect(repairJson('what is this')).toBeNull();
  });

  test('a repair keeps the text of numbers, and is not offered where it could not', () => {
    const repaired = (text: string) => apply(text, repairJson(text)!.edits);
    expect(repaired('{"id": 9007199254740993,}')).toBe('{"id":9007199254740993}');
    expect(repaired('{"a": NaN,}')).toBe('{"a":NaN}');
    expect(repairJson('{"id": 9007199254740993 /* one */}')).toBeNull();
    expect(repairJson('{"a": NaN')).toBeNull();
  });

  test('a row as Python prints it', () => {
    const text = `{'prompt': "It's late", 'completion': 'Arr, \\'tis.', 'ok': True, 'tags': ('a', None)}`;
    expect(JSON.parse(apply(text, repairJson(text)!.edits))).toEqual({
      prompt: "It's late",
      completion: "Arr, 'tis.",
      ok: true,
      tags: ['a', null],
    });
    // A text that no reader takes is not offered.
    expect(repairJson("{'a': '\\ud800'}")).toBeNull();
    expect(repairJson("['a']")).toBeNull();
  });

  test('a role is corrected or a message removed; the rest is unchanged', () => {
    const text = '{"id": 7,  "messages": [{"role": "user", "content": "a"}, {"role": "narrator", "content": "b"}]}';
    const [change, remove] = repairRoles(text);
    expect(change.title).toBe('Change role to "assistant"');
    expect(apply(text, change.edits)).toBe(text.replace('"narrator"', '"assistant"'));
    expect(JSON.parse(apply(text, remove.edits)).messages).toHaveLength(1);
    const place = placeOfRoleFault(text)!;
    expect(text.slice(place.start, place.end)).toBe('"narrator"');
  });

  test('a question at the end can only be removed', () => {
    const text =
      '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}';
    expect(repairRoles(text).map(({ title }) => title)).toEqual(['Remove message 3']);
    expect(repairRoles('{"text": "x"}')).toEqual([]);
  });
});
