// Adds a row to a dataset's text in the file's own format, layout and columns: a conversation, or a pair of answers. Called by the
// host when an answer is corrected. What was added is read back before it is returned, so that nothing is lost unnoticed. Pure.
import { findNodeAtLocation, parseTree } from 'jsonc-parser';
import { InputError } from '../inputError.js';
import { csvHeader } from './csvRecord.js';
import type { ChatMessage, Example, Row } from './example.js';
import type { DatasetFormat, RowContents } from './formats/datasetFormat.js';
import { datasetFormats } from './formats/registry.js';
import { has } from './formats/rowFields.js';
import { writeJsonText } from './jsonText.js';
import {
  FORMAT_SAMPLE_ROWS,
  mapColumns,
  resolveFormat,
  type ColumnMapping,
  type ResolvedFormat,
} from './resolveFormat.js';
import type { TextEdit } from './rowEdits.js';
import type { ScannedFileType } from './rowFileTypes.js';
import { LAYOUT_UNITS, rowLayout, type Delimiter, type RowLayout } from './rowLayout.js';
import { rowScanner } from './rowScanner.js';
import { parseRow } from './rowText.js';

/** Of a cell, too: readers make it LF. */
const LINE_BREAK = /\r?\n/g;

/** A dataset as text, and how it is read: as dataset.format and dataset.columns. */
export interface DatasetText {
  text: string;
  fileType: ScannedFileType;
  format: string;
  columns: ColumnMapping;
}

/** Exactly one content. */
export type NewRow = { [Kind in keyof RowContents]: { kind: Kind; content: RowContents[Kind] } }[keyof RowContents];

export interface AppendedRow {
  edit: TextEdit;
  /** Of the new row, from 0. */
  row: number;
  /** Its first line, from 1. */
  line: number;
}

interface ScannedText {
  layout: RowLayout;
  /** Columns of CSV; empty for other types. */
  header: string[];
  /** The header of CSV, then rows. */
  places: { start: number; end: number; line: number }[];
}

/**
 * The edit that adds the row after the last one.
 * @throws InputError, without a file, if the format or the layout can't hold it, or the text has a fault
 */
export function appendedRow(dataset: DatasetText, added: NewRow): AppendedRow {
  const { text, fileType } = dataset;
  const scanned = scan(text, fileType);
  const first = firstRows(text, scanned);
  const { format, columns } = formatFor(dataset, first, added);
  const fields = write(
    format,
    added,
    first.map(row => mapColumns(row, columns)),
  );
  const names = Object.fromEntries(Object.entries(fields).map(([field, value]) => [columns[field] ?? field, value]));
  const edit = editFor(text, scanned, inFormOf(first, names));
  return { edit, ...readBack(dataset, scanned, edit, added, { format, columns }) };
}

function scan(text: string, fileType: ScannedFileType): ScannedText {
  const units = new Uint16Array(text.length);
  for (let i = 0; i < units.length; i++) units[i] = text.charCodeAt(i);
  const layout = rowLayout(fileType, units.subarray(0, LAYOUT_UNITS), units.length < LAYOUT_UNITS);
  const places: ScannedText['places'] = [];
  const scanner = rowScanner(layout, (start, end, line) => places.push({ start, end, line }));
  scanner.push(units);
  const fault = scanner.finish();
  if (fault) throw new InputError(fault.message, { line: fault.line ?? undefined, hint: fault.hint });
  const [header] = layout.kind === 'csv' ? places : [];
  const names =
    header && layout.kind === 'csv' ? csvHeader(text.slice(header.start, header.end), layout.delimiter) : [];
  return { layout, header: names, places };
}

/** The first rows that can be read. */
function firstRows(text: string, { layout, header, places }: ScannedText): Row[] {
  const rows = layout.kind === 'csv' ? places.slice(1) : places;
  return rows.slice(0, FORMAT_SAMPLE_ROWS).flatMap(({ start, end }) => {
    try {
      return [parseRow(layout, text.slice(start, end), header)];
    } catch (error) {
      // The problems of a row are shown at it.
      if (error instanceof InputError) return [];
      throw error;
    }
  });
}

function formatFor({ format, columns }: DatasetText, rows: readonly Row[], { kind }: NewRow): ResolvedFormat {
  const sample = rows.map((row, i) => ({ row, source: { file: '', line: i + 1 } }));
  if (rows.length > 0 || format !== 'auto') return resolveFormat(sample, format, columns);
  return { format: datasetFormats.find(({ newFilesOf }) => newFilesOf === kind)!, columns };
}

function write(format: DatasetFormat, added: NewRow, first: readonly Row[]): Row {
  const row =
    added.kind === 'conversation'
      ? format.writes?.conversation?.(added.content, first)
      : format.writes?.preference?.(added.content, first);
  if (row) return row;
  const names = datasetFormats.filter(({ writes }) => writes?.[added.kind]).map(({ name }) => name);
  const what = added.kind === 'conversation' ? 'a conversation' : 'a pair of answers';
  throw new InputError(`a dataset of the format ${format.name} can't hold ${what}`, {
    hint: `Choose a file of the format ${names.join(', ')}, or a new one.`,
  });
}

/** Columns that are texts in the file but lists here become JSON; keys in the order of the last row, then new ones. */
function inFormOf(first: readonly Row[], row: Row): Row {
  const last = first.at(-1) ?? {};
  const keys = [...Object.keys(last).filter(key => key in row), ...Object.keys(row).filter(key => !(key in last))];
  return Object.fromEntries(
    keys.map(key => {
      const known = first.find(each => has(each, key))?.[key];
      const isText = typeof known === 'string' && typeof row[key] !== 'string';
      return [key, isText ? writeJsonText(row[key]) : row[key]];
    }),
  );
}

function editFor(text: string, scanned: ScannedText, row: Row): TextEdit {
  const { layout, header, places } = scanned;
  const [before, last] = [places.at(-2), places.at(-1)];
  const lineBreak = text.includes('\r\n') ? '\r\n' : '\n';
  const insert = (at: number, written: string): TextEdit => ({ start: at, end: at, text: written });
  const between = before && last ? text.slice(before.end, last.start) : null;
  if (layout.kind === 'csv') {
    if (!last) {
      const names = Object.keys(row);
      const record = (cells: unknown[]) => `${csvRecord(cells, layout.delimiter, false)}${lineBreak}`;
      const lines = `${record(names)}${record(names.map(name => row[name]))}`;
      return insert(text.length, lines.replace(LINE_BREAK, lineBreak));
    }
    const missing = Object.keys(row).find(name => !header.includes(name));
    if (missing !== undefined) {
      throw new InputError(`the file has no column "${missing}" (its columns are ${header.join(', ')})`, {
        hint: `Add the column "${missing}", or choose another file.`,
      });
    }
    const isQuoted = areAllQuoted(text.slice(last.start, last.end), layout.delimiter);
    const record = csvRecord(
      header.map(name => row[name] ?? ''),
      layout.delimiter,
      isQuoted,
    );
    // Old files of Macs end their lines with CR.
    return insert(last.end, `${between === '\r' ? '\r' : lineBreak}${record.replace(LINE_BREAK, lineBreak)}`);
  }
  if (!last) {
    if (layout.kind !== 'list') return insert(text.length, `${writeJsonText(row)}${lineBreak}`);
    const list = emptyList(text);
    const written = indented(row, '  ', '  ', lineBreak);
    if (!list) return insert(text.length, `[${lineBreak}  ${written}${lineBreak}]${lineBreak}`);
    return { start: list.start, end: list.end, text: `${lineBreak}  ${written}${lineBreak}` };
  }
  const written = likeRow(row, text, last, lineBreak);
  if (layout.kind === 'lines') return insert(last.end, `${lineBreak}${written}`);
  if (layout.kind === 'values') {
    const isSpace = between !== null && between.trim() === '';
    return insert(last.end, `${isSpace ? between : lineBreak}${written}`);
  }
  const opening = text.slice(0, last.start);
  const separator = between ?? `,${/\s*$/.exec(opening)![0] || ' '}`;
  return insert(last.end, `${separator}${written}`);
}

/** JSON in the style of another row: on one line with or without spaces, or indented. */
function likeRow(row: Row, text: string, { start, end }: { start: number; end: number }, lineBreak: string): string {
  const like = text.slice(start, end);
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  const base = /^[ \t]*/.exec(text.slice(lineStart, start))![0];
  const inner = /\n([ \t]*)\S/.exec(like)?.[1];
  if (inner !== undefined) {
    return indented(row, base, inner.startsWith(base) ? inner.slice(base.length) : inner, lineBreak);
  }
  return /^\{\s*"(?:[^"\\]|\\.)*"\s*:\s/.test(like) ? spaced(row) : writeJsonText(row);
}

function indented(row: Row, base: string, unit: string, lineBreak: string): string {
  const [first, ...lines] = writeJsonText(row, 1).split('\n');
  // No text in JSON has a line break, so that leading spaces are indentation.
  const moved = lines.map(line => line.replace(/^ */, spaces => base + unit.repeat(spaces.length)));
  return [first, ...moved].join(lineBreak);
}

/** As Python's json.dumps writes it. */
function spaced(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(', ')}]`;
  if (typeof value !== 'object' || value === null || value instanceof Number) return writeJsonText(value);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}: ${spaced(item)}`).join(', ')}}`;
}

/** What is between the brackets of a list without rows, also under "data"; null if the text has no list. */
function emptyList(text: string): { start: number; end: number } | null {
  const tree = parseTree(text);
  const list = tree && (tree.type === 'array' ? tree : findNodeAtLocation(tree, ['data']));
  return list ? { start: list.offset + 1, end: list.offset + list.length - 1 } : null;
}

function csvRecord(cells: readonly unknown[], delimiter: Delimiter, isQuoted: boolean): string {
  const cell = (value: unknown): string => {
    const text = typeof value === 'string' ? value : value === null ? '' : writeJsonText(value);
    const isPlain = !isQuoted && !/["\r\n]/.test(text) && !text.includes(delimiter) && text.trim() === text;
    return isPlain ? text : `"${text.replaceAll('"', '""')}"`;
  };
  return cells.map(cell).join(delimiter);
}

function areAllQuoted(record: string, delimiter: Delimiter): boolean {
  const cell = '"(?:[^"]|"")*"';
  return new RegExp(`^${cell}(?:${delimiter}${cell})*$`).test(record);
}

function applied(text: string, { start, end, text: inserted }: TextEdit): string {
  return text.slice(0, start) + inserted + text.slice(end);
}

/**
 * The place of the new row.
 * @throws InputError unless the new text has the same rows and one more, which says what was to be added
 */
function readBack(
  { text, fileType }: DatasetText,
  before: ScannedText,
  edit: TextEdit,
  added: NewRow,
  { format, columns }: ResolvedFormat,
): Pick<AppendedRow, 'row' | 'line'> {
  const changed = applied(text, edit);
  const { layout, header, places } = scan(changed, fileType);
  const isNewHeader = before.places.length === 0 && layout.kind === 'csv';
  const kept = before.places.every(
    ({ start, end }, i) => places[i] && text.slice(start, end) === changed.slice(places[i].start, places[i].end),
  );
  const last = places.at(-1);
  const row =
    kept && last && places.length === before.places.length + (isNewHeader ? 2 : 1)
      ? parseRow(layout, changed.slice(last.start, last.end), header)
      : null;
  const mapped = row && mapColumns(row, columns);
  const line = last?.line ?? 0;
  if (mapped && format.detect(mapped) && saysWhat(format.parse(mapped, { file: '', line }), added)) {
    return { row: places.length - (layout.kind === 'csv' ? 2 : 1), line };
  }
  throw new InputError(`a row of this file (format ${format.name}) can't hold this as it is`, {
    hint: 'Choose a file of conversations, or a new one.',
  });
}

/** Whether the example is what was to be added. */
function saysWhat(example: Example, { kind, content }: NewRow): boolean {
  if (kind === 'conversation') {
    const { messages, tools } = content;
    return isConversation(example, messages) && (!tools || (example.kind === 'chat' && isSame(example.tools, tools)));
  }
  if (example.kind !== 'preference') return false;
  const { prompt, chosen, rejected } = content;
  return (
    isConversation(example.chosen, [...prompt, ...chosen]) && isConversation(example.rejected, [...prompt, ...rejected])
  );
}

function isConversation(example: Example, messages: readonly ChatMessage[]): boolean {
  const turns = messages.map(({ content }) => content ?? '');
  if (example.kind === 'completion') return isSame([example.prompt, example.completion], turns.map(unixLines));
  if (example.kind !== 'chat') return false;
  const said = ({ content, tool_calls: calls = null, reasoning_content: reasoning = null }: ChatMessage) => [
    unixLines(content ?? ''),
    calls,
    typeof reasoning === 'string' ? unixLines(reasoning) : reasoning,
  ];
  return isSame(example.messages.map(said), messages.map(said));
}

/** CSV and editors have one kind of line break. */
function unixLines(text: string): string {
  return text.replaceAll('\r\n', '\n');
}

function isSame(a: unknown, b: unknown): boolean {
  return writeJsonText(a) === writeJsonText(b);
}
