// How the rows of a text follow each other, decided by its beginning, since names say little: exporters write JSON Lines as .json and
// lists as .jsonl. Called by rows/ before a text is scanned, for files and editors alike; pure.
import type { ScannedFileType } from './rowFileTypes.js';

/** UTF-8 bytes or UTF-16 code units. */
export type Units = Uint8Array | Uint16Array;

/** `lines`: a row on each line. `values`: objects one after another, of any number of lines. `list`: a JSON list, also under "data". */
export type RowLayout = { kind: 'lines' | 'values' | 'list' } | { kind: 'csv'; delimiter: Delimiter };
export type Delimiter = ',' | ';' | '\t';

/** The part at the beginning of a text that determines its layout, in its units. */
export const LAYOUT_UNITS = 1 << 18;

export const LF = 0x0a;
export const CR = 0x0d;
export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;
export const COMMA = 0x2c;
export const COLON = 0x3a;
export const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

export function isSpace(unit: number): boolean {
  return unit === 0x20 || unit === LF || unit === CR || unit === 0x09;
}

/** Length of a byte order mark: one unit in UTF-16, three in UTF-8. */
export function markLength(units: Units): number {
  if (units[0] === 0xfeff) return 1;
  return units[0] === 0xef && units[1] === 0xbb && units[2] === 0xbf ? 3 : 0;
}

/**
 * @param beginning of the text, as much as is known
 * @param isWhole whether that is all of it
 */
export function rowLayout(fileType: ScannedFileType, beginning: Units, isWhole: boolean): RowLayout {
  if (fileType === 'tsv') return { kind: 'csv', delimiter: '\t' };
  if (fileType === 'csv') return { kind: 'csv', delimiter: delimiterOf(beginning) };
  return { kind: jsonLayout(fileType, beginning, isWhole) };
}

/** The comma, unless the header has none but another delimiter, as spreadsheets write in many countries. */
function delimiterOf(units: Units): Delimiter {
  const found = new Set<number>();
  let quoted = false;
  let isEmpty = true;
  for (let i = markLength(units); i < units.length; i++) {
    const unit = units[i];
    if (unit === QUOTE) quoted = !quoted;
    else if (!quoted && (unit === LF || unit === CR) && !isEmpty) break;
    else if (!quoted) found.add(unit);
    isEmpty &&= isSpace(unit);
  }
  return ([',', ';', '\t'] as const).find(delimiter => found.has(delimiter.charCodeAt(0))) ?? ',';
}

function jsonLayout(fileType: 'json' | 'jsonl', units: Units, isWhole: boolean): 'lines' | 'values' | 'list' {
  const byName = fileType === 'json' ? 'list' : 'lines';
  const start = afterSpace(units, markLength(units));
  if (units[start] !== OPEN_OBJECT && units[start] !== OPEN_LIST) return byName;
  if (units[start] === OPEN_OBJECT && isSingleQuoted(units, start)) return 'lines';
  const first = firstValue(units, start);
  if (units[start] === OPEN_LIST) {
    // A line may be a list by mistake. The rows of a list are objects or texts, and nothing follows it.
    const isOfRows = [OPEN_OBJECT, QUOTE, CLOSE_LIST].includes(units[afterSpace(units, start + 1)] ?? OPEN_OBJECT);
    const isLine = first.end !== null && !first.lines && followed(units, first.end) === 'line';
    return fileType === 'jsonl' && (isLine || !isOfRows) ? 'lines' : 'list';
  }
  if (first.isBroken) return 'lines';
  if (first.end === null) {
    if (first.hasData && (first.lines || fileType === 'json')) return 'list';
    return first.lines ? 'values' : byName === 'list' && isWhole ? 'values' : byName;
  }
  const after = followed(units, first.end);
  if (after === null) return first.hasData ? 'list' : 'values';
  return first.lines || after === 'value' ? 'values' : 'lines';
}

function afterSpace(units: Units, from: number): number {
  let at = from;
  while (at < units.length && isSpace(units[at])) at++;
  return at;
}

/** What Python prints of a dict: its braces and quotes aren't those of JSON, and no text in it has a line break. */
function isSingleQuoted(units: Units, start: number): boolean {
  return units[afterSpace(units, start + 1)] === 0x27;
}

interface FirstValue {
  /** Exclusive; null if it isn't complete. */
  end: number | null;
  /** Whether there is a line break in it. */
  lines: boolean;
  /** Whether it has a list under "data". */
  hasData: boolean;
  /** Whether its first line ends where JSON can't continue: a line of JSON Lines that is cut off. */
  isBroken: boolean;
}

function firstValue(units: Units, start: number): FirstValue {
  const value: FirstValue = { end: null, lines: false, hasData: false, isBroken: false };
  let depth = 0;
  let inString = false;
  let key = '';
  let previous = 0;
  let lineBegins = false;
  for (let i = start; i < units.length; i++) {
    const unit = units[i];
    if (unit === LF) {
      if (inString) return { ...value, isBroken: true };
      value.lines = lineBegins = true;
    } else if (inString) {
      if (unit === BACKSLASH) i++;
      else if (unit === QUOTE) inString = false;
      else if (depth === 1) key += String.fromCharCode(unit);
      previous = QUOTE;
    } else if (!isSpace(unit)) {
      // Within an object an object only follows a colon.
      if (lineBegins && unit === OPEN_OBJECT && depth === 1 && units[start] === OPEN_OBJECT && previous !== COLON)
        return { ...value, isBroken: true };
      lineBegins = false;
      if (unit === QUOTE) {
        inString = true;
        if (depth === 1) key = '';
      } else if (unit === OPEN_LIST || unit === OPEN_OBJECT) {
        if (++depth === 2 && unit === OPEN_LIST && key === 'data') value.hasData = true;
      } else if ((unit === CLOSE_LIST || unit === CLOSE_OBJECT) && --depth === 0) return { ...value, end: i + 1 };
      previous = unit;
    }
  }
  return value;
}

/** What follows a value: one on the same line, or a line; null: nothing but a comma, or nothing that is known. */
function followed(units: Units, end: number): 'value' | 'line' | null {
  let lines = false;
  for (let i = end; i < units.length; i++) {
    if (units[i] === LF) lines = true;
    else if (!isSpace(units[i])) {
      if (lines) return 'line';
      if (units[i] === OPEN_OBJECT) return 'value';
    }
  }
  return null;
}
