import { describe, expect, test } from 'vitest';
import type { ScannedFileType } from '../../../../extension/src/core/data/rowFileTypes.js';
import { rowLayout, type Units } from '../../../../extension/src/core/data/rowLayout.js';
import { rowScanner } from '../../../../extension/src/core/data/rowScanner.js';

const utf8 = (text: string): Units => new TextEncoder().encode(text);
const utf16 = (text: string): Units => Uint16Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));

/** Rows with their lines; pushing the text in pieces must make no difference. */
function scan(text: string, fileType: ScannedFileType, encode: (text: string) => Units = utf8): [string, number][] {
  const units = encode(text);
  const whole = scanInPieces(units, fileType, units.length || 1);
  for (const piece of [1, 2, 3, 7]) expect(scanInPieces(units, fileType, piece)).toEqual(whole);
  const textOf = (start: number, end: number) =>
    units instanceof Uint8Array
      ? new TextDecoder().decode(units.subarray(start, end))
      : String.fromCharCode(...units.subarray(start, end));
  return whole.map(([start, end, line]) => [textOf(start, end), line]);
}

function scanInPieces(units: Units, fileType: ScannedFileType, size: number): [number, number, number][] {
  const rows: [number, number, number][] = [];
  const scanner = rowScanner(rowLayout(fileType, units, true), (start, end, line) => rows.push([start, end, line]));
  for (let at = 0; at < units.length; at += size) scanner.push(units.subarray(at, at + size) as Units);
  scanner.finish();
  return rows;
}

describe('JSONL', () => {
  test('one row per line, blank lines skipped, any line ending', () => {
    expect(scan('{"a":1}\r\n\n  {"b":2} \n{"c":3}', 'jsonl')).toEqual([
      ['{"a":1}', 1],
      ['{"b":2}', 3],
      ['{"c":3}', 4],
    ]);
    expect(scan('', 'jsonl')).toEqual([]);
    expect(scan('\n\n', 'jsonl')).toEqual([]);
  });

  test('a byte order mark is not part of the first row, in both encodings', () => {
    expect(scanInPieces(utf8('\ufeff{"a":1}\n'), 'jsonl', 100)).toEqual([[3, 10, 1]]);
    expect(scanInPieces(utf16('\ufeff{"a":1}\n'), 'jsonl', 100)).toEqual([[1, 8, 1]]);
  });

  test('offsets of editors are UTF-16', () => {
    const text = '{"a":"ä🙂"}\n{"b":2}';
    expect(scan(text, 'jsonl', utf16)).toEqual([
      ['{"a":"ä🙂"}', 1],
      ['{"b":2}', 2],
    ]);
    expect(scanInPieces(utf16(text), 'jsonl', 4)[1][0]).toBe(text.indexOf('{"b"'));
  });
});

describe('JSON', () => {
  test('the elements of a list, whatever their strings contain', () => {
    expect(scan('[\n  {"a": "],}\\"["},\n  {"b": [1, 2]}\n]\n', 'json')).toEqual([
      ['{"a": "],}\\"["}', 2],
      ['{"b": [1, 2]}', 3],
    ]);
    expect(scan('[{"a":1},{"b":2}]', 'json').map(([row]) => row)).toEqual(['{"a":1}', '{"b":2}']);
    expect(scan('[]', 'json')).toEqual([]);
  });

  test('the list under "data", not others', () => {
    const text = '{"version": ["x"], "data": [{"a": 1}, {"a": 2}], "more": [3]}';
    expect(scan(text, 'json').map(([row]) => row)).toEqual(['{"a": 1}', '{"a": 2}']);
    const other = '{"name": "data", "rows": [1, 2]}';
    expect(scan(other, 'json')).toEqual([[other, 1]]);
  });

  test('broken rows are still rows, and so are those after them', () => {
    expect(scan('[{"a":1}\n {"b":2},\n {"c":3}]', 'json').map(([row]) => row)).toEqual([
      '{"a":1}\n {"b":2}',
      '{"c":3}',
    ]);
    expect(scan('[{"a":1}, {"b":', 'json').map(([row]) => row)).toEqual(['{"a":1}', '{"b":']);
  });
});

describe('errors outside the rows of JSON', () => {
  test.each<[string, string, [line: number, column: number] | null, RegExp]>([
    ['a list that is not closed', '[{"a":1},\n{"a":2}\n\n', [2, 8], /^invalid JSON: the list of rows is not closed/],
    ['something after it', '[{"a":1},\n{"a":2}]\n5', [3, 1], /^invalid JSON: 5 after the end of the value/],
    ['something on the line that closes it', '[{"a":1},\n{"é🙂":2}] x', [2, 12], /^invalid JSON: x after the end/],
    ['a comma after the last row', '[{"a":1},\n{"é🙂":2},\n]', [2, 10], /a comma after the last row/],
    ['a comma too many', '[\n,{"a":2}]', [2, 1], /a comma without a row before it/],
    ['a key without a value', '{"data": [\n{"a":1}],\n"b" }', [3, 5], /^invalid JSON: } instead of a colon/],
    ['an error before the rows', '{"a": 1,\n  b: 2, "data": [{}]}', [2, 3], /^invalid JSON: b instead of a key/],
    ['a second list', '{"data": [{"a":1}],\n"data": [{"a":2}]}', [2, 9], /more than one list/],
    ['another value', ' 5 ', null, /neither rows nor a list of rows/],
  ])('%s', (_, text, place, message) => {
    for (const units of [utf8(text), utf16(text)])
      for (const piece of [1, 3, 100]) {
        const scanner = rowScanner({ kind: 'list' }, () => {});
        for (let at = 0; at < units.length; at += piece) scanner.push(units.subarray(at, at + piece) as Units);
        const fault = scanner.finish();
        expect(fault?.message).toMatch(message);
        expect([fault?.line, fault?.column]).toEqual(place ?? [null, undefined]);
      }
  });

  test('none for an empty file and for other types', () => {
    expect(rowScanner({ kind: 'list' }, () => {}).finish()).toBeNull();
    for (const layout of [{ kind: 'lines' }, { kind: 'values' }, { kind: 'csv', delimiter: ',' }] as const) {
      const scanner = rowScanner(layout, () => {});
      scanner.push(utf8('[{"a":1},\n"'));
      expect(scanner.finish()).toBeNull();
    }
  });
});

describe('CSV', () => {
  test('records over several lines, quotes inside, empty lines', () => {
    expect(scan('a,b\r\n"x\ny",1\r\n\r\n"say ""no"", please",2\nlast,"', 'csv')).toEqual([
      ['a,b', 1],
      ['"x\ny",1', 2],
      ['"say ""no"", please",2', 5],
      ['last,"', 6],
    ]);
  });

  test('CR as line break', () => {
    expect(scan('a,b\r"x\ry",1\r\rz,2', 'csv')).toEqual([
      ['a,b', 1],
      ['"x\ry",1', 2],
      ['z,2', 5],
    ]);
  });

  test('a quote in the middle of a field opens nothing', () => {
    expect(scan('a\n5" disk\nb', 'csv').map(([row]) => row)).toEqual(['a', '5" disk', 'b']);
  });

  test('a quote that is never closed takes the rest', () => {
    expect(scan('a\n"b\nc\nd', 'csv').map(([row]) => row)).toEqual(['a', '"b\nc\nd']);
  });
});
