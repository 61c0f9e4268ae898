import { describe, expect, test } from 'vitest';
import { csvRow, splitCsvRecord } from '../../../../extension/src/core/data/csvRecord.js';

describe('fields of a record', () => {
  test.each([
    ['plain', 'a,b', ['a', 'b']],
    ['line breaks in quotes, CR LF as LF', '"a\r\nb\n\nc",d', ['a\nb\n\nc', 'd']],
    ['doubled quotes', '"say ""a""","""b"""', ['say "a"', '"b"']],
    ['commas in quotes', '"a,b",","', ['a,b', ',']],
    ['empty fields', ',"",', ['', '', '']],
    ['spaces are kept', ' a , b ', [' a ', ' b ']],
  ])('%s', (_, record, fields) => {
    expect(splitCsvRecord(record)).toEqual(fields);
  });

  test.each([
    ['a quote in the middle of a field', 'a"b,c', /field 1 contains a quote but isn't quoted/],
    ['text after a closing quote', 'a,"b"c', /field 2 continues after its closing quote/],
    ['a quote that is never closed', '"a,b\n', /never closed/],
  ])('%s is rejected', (_, record, message) => {
    expect(() => splitCsvRecord(record)).toThrow(message);
  });
});

test('a row has the names of the header, and the same number of fields', () => {
  expect(csvRow('1,x', ['id', 'text'])).toEqual({ id: '1', text: 'x' });
  expect(() => csvRow('1', ['id', 'text'])).toThrow(/has 1 fields, the header 2/);
  expect(() => csvRow('1,2,3', ['id', 'text'])).toThrow(/has 3 fields, the header 2/);
});
