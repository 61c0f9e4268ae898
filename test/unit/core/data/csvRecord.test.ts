import { describe, expect, test } from 'vitest';
import { csvHeader, csvRow, splitCsvRecord } from '../../../../extension/src/core/data/csvRecord.js';

describe('fields of a record', () => {
  test.each([
    ['plain', 'a,b', ['a', 'b']],
    ['line breaks in quotes, CR LF as LF', '"a\r\nb\n\nc",d', ['a\nb\n\nc', 'd']],
    ['doubled quotes', '"say ""a""","""b"""', ['say "a"', '"b"']],
    ['commas in quotes', '"a,b",","', ['a,b', ',']],
    ['empty fields', ',"",', ['', '', '']],
    ['spaces are kept', ' a , b ', [' a ', ' b ']],
    ['a quote in the middle of a field', 'a,5" disk', ['a', '5" disk']],
  ])('%s', (_, record, fields) => {
    expect(splitCsvRecord(record, ',')).toEqual(fields);
  });

  test.each([
    ['text after a closing quote', 'a,"b"c', /field 2 continues after its closing quote/],
    ['a quote that is never closed', '"a,b\n', /never closed/],
  ])('%s is rejected', (_, record, message) => {
    expect(() => splitCsvRecord(record, ',')).toThrow(message);
  });
});

test('a row has the names of the header, with any delimiter; the last ones may be absent', () => {
  expect(csvRow('1,x', ['id', 'text'], ',')).toEqual({ id: '1', text: 'x' });
  expect(csvRow('1;"x;,"', ['id', 'text'], ';')).toEqual({ id: '1', text: 'x;,' });
  expect(csvRow('1\tx, y', ['id', 'text'], '\t')).toEqual({ id: '1', text: 'x, y' });
  expect(csvRow('1', ['id', 'text'], ',')).toEqual({ id: '1' });
  expect(() => csvRow('1,2,3', ['id', 'text'], ',')).toThrow(/has 3 fields, the header 2/);
});

test.each([
  ['a,a', ['a', 'a.1']],
  ['a,a,a', ['a', 'a.1', 'a.2']],
  ['a,a.1,a', ['a', 'a.1', 'a.2']],
  ['a,a,a.1', ['a', 'a.2', 'a.1']],
  ['a,a.1,a,a', ['a', 'a.1', 'a.2', 'a.3']],
])('the columns %s are named as by pandas', (record, names) => expect(csvHeader(record, ',')).toEqual(names));
