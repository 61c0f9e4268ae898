// Finds where the rows of a JSON or CSV text begin and end, without parsing them. Fed in pieces, so that a file of any size is read
// in one pass. Called by rows/ with UTF-8 bytes (files) or UTF-16 units (editors): the structure is ASCII in both.
// It never fails, so that a broken row hides no other one; the content of a row is checked by parseRow.
import { JsonFrame } from './jsonFrame.js';
import {
  BACKSLASH,
  CLOSE_LIST,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  CR,
  isSpace,
  LF,
  markLength,
  OPEN_LIST,
  OPEN_OBJECT,
  QUOTE,
  type RowLayout,
  type Units,
} from './rowLayout.js';

/** `start` and `end` (exclusive, without line break) in units from the beginning of the text; `line` from 1. */
export type OnRow = (start: number, end: number, line: number) => void;

/** An error outside the rows; `line` is null if it concerns the whole text. */
export interface ScanFault {
  message: string;
  hint?: string;
  line: number | null;
  column?: number;
}

export interface RowScanner {
  push(units: Units): void;
  /** Ends the text: a last row without a line break is reported here. */
  finish(): ScanFault | null;
}

/** For CSV, the header is reported as the first row. */
export function rowScanner(layout: RowLayout, onRow: OnRow): RowScanner {
  switch (layout.kind) {
    case 'lines':
      return new LineScanner(onRow);
    case 'values':
      return new ValueScanner(onRow);
    case 'list':
      return new ListScanner(onRow);
    case 'csv':
      return new CsvScanner(onRow, layout.delimiter.charCodeAt(0));
  }
}

/** One row per line; blank lines are skipped. */
class LineScanner implements RowScanner {
  private offset = 0;
  private line = 1;
  /** First and last non-space unit of the current line. */
  private first = -1;
  private last = -1;

  constructor(private readonly onRow: OnRow) {}

  push(units: Units): void {
    for (let at = this.offset === 0 ? markLength(units) : 0; at < units.length;) {
      const newline = units.indexOf(LF, at);
      const end = newline < 0 ? units.length : newline;
      this.extend(units, at, end);
      if (newline < 0) break;
      this.endLine();
      at = newline + 1;
    }
    this.offset += units.length;
  }

  finish(): null {
    this.endLine();
    return null;
  }

  private extend(units: Units, from: number, to: number): void {
    let first = from;
    while (first < to && isSpace(units[first])) first++;
    if (first === to) return;
    let last = to - 1;
    while (isSpace(units[last])) last--;
    if (this.first < 0) this.first = this.offset + first;
    this.last = this.offset + last;
  }

  private endLine(): void {
    if (this.first >= 0) this.onRow(this.first, this.last + 1, this.line);
    this.first = -1;
    this.line++;
  }
}

/**
 * Objects one after another, each of any number of lines. An object that is not closed ends before the next line that begins with
 * one where none can follow.
 */
class ValueScanner implements RowScanner {
  private offset = 0;
  private line = 1;
  private depth = 0;
  private inString = false;
  private escaped = false;
  private start = -1;
  private startLine = 1;
  private last = -1;
  /** The latest unit that is not white space, and whether a line break follows it directly. */
  private previous = 0;
  private atLineStart = false;

  constructor(private readonly onRow: OnRow) {}

  push(units: Units): void {
    for (let i = this.offset === 0 ? markLength(units) : 0; i < units.length; i++) {
      const unit = units[i];
      if (unit === LF) {
        this.line++;
        // No text in JSON has a line break, so a quote is missing.
        this.inString = this.escaped = false;
        // Anything but objects: a row of one line, which will be an error.
        if (this.depth === 0) this.endRow();
        this.atLineStart = true;
        continue;
      }
      if (this.inString) this.readString(unit);
      else if (!isSpace(unit)) this.readStructure(unit, this.offset + i);
      if (this.start >= 0 && !isSpace(unit)) this.last = this.offset + i;
      this.atLineStart = false;
      if (this.start >= 0 && this.depth === 0 && (unit === CLOSE_OBJECT || unit === CLOSE_LIST) && !this.inString)
        this.endRow();
    }
    this.offset += units.length;
  }

  finish(): null {
    this.endRow();
    return null;
  }

  private readString(unit: number): void {
    if (this.escaped) this.escaped = false;
    else if (unit === BACKSLASH) this.escaped = true;
    else if (unit === QUOTE) this.inString = false;
  }

  private readStructure(unit: number, at: number): void {
    const canFollow = this.previous === COMMA || this.previous === COLON || this.previous === OPEN_LIST;
    if (unit === OPEN_OBJECT && (this.depth === 0 || (this.atLineStart && !canFollow))) this.endRow();
    if (this.start < 0) {
      this.start = at;
      this.startLine = this.line;
    }
    if (unit === QUOTE) this.inString = true;
    else if (unit === OPEN_OBJECT || unit === OPEN_LIST) this.depth++;
    else if (unit === CLOSE_OBJECT || unit === CLOSE_LIST) this.depth = Math.max(0, this.depth - 1);
    this.previous = unit;
  }

  private endRow(): void {
    if (this.start >= 0) this.onRow(this.start, this.last + 1, this.startLine);
    this.start = -1;
    this.depth = 0;
  }
}

/** The elements of a list, or of the list under "data" of an object. */
class ListScanner implements RowScanner {
  private offset = 0;
  private line = 1;
  private lineStart = 0;
  /** UTF-8 bytes of the current line minus its UTF-16 units, in which columns count. */
  private extraBytes = 0;
  private depth = 0;
  private rowDepth = 0;
  private inString = false;
  private escaped = false;
  /** The latest key of the outer object. */
  private key = '';
  private list: 'before' | 'open' | 'after' = 'before';
  private rows = 0;
  private start = -1;
  private startLine = 1;
  private last = -1;
  /** After the last non-space unit. */
  private lastPlace = { line: 1, column: 1 };
  /** Of the latest comma between rows. */
  private comma = { line: 1, column: 1 };
  private fault: ScanFault | null = null;
  private readonly frame = new JsonFrame();
  /** Start of the pushed units that are outside the rows; -1 within the rows. */
  private frameFrom = 0;

  constructor(private readonly onRow: OnRow) {}

  push(units: Units): void {
    const begin = this.offset === 0 ? markLength(units) : 0;
    if (this.frameFrom >= 0) this.frameFrom = begin;
    for (let i = begin; i < units.length; i++) {
      const unit = units[i];
      if (unit === LF) {
        this.line++;
        this.lineStart = this.offset + i + 1;
        this.extraBytes = 0;
      } else if (unit >= 0x80 && units instanceof Uint8Array) {
        if (unit < 0xc0) this.extraBytes++;
        else if (unit >= 0xf0) this.extraBytes--;
      }
      if (this.inString) {
        this.readString(unit);
        this.last = this.offset + i;
        continue;
      }
      if (isSpace(unit)) continue;
      this.readStructure(units, i);
    }
    if (this.frameFrom >= 0) this.frame.keep(units.subarray(this.frameFrom));
    this.offset += units.length;
  }

  finish(): ScanFault | null {
    this.endRow();
    if (this.list === 'open') {
      const message = 'invalid JSON: the list of rows is not closed';
      return { message, hint: 'The file may be cut off: copy or download it again.', ...this.lastPlace };
    }
    return this.last < 0 ? null : (this.fault ?? this.frame.fault(this.lastPlace));
  }

  private readString(unit: number): void {
    if (this.escaped) this.escaped = false;
    else if (unit === BACKSLASH) this.escaped = true;
    else if (unit === QUOTE) this.inString = false;
    if (this.inString && this.depth === 1 && this.rowDepth === 2) this.key += String.fromCharCode(unit);
  }

  private readStructure(units: Units, i: number): void {
    const unit = units[i];
    this.lastPlace = this.placeOf(i + 1);
    const atRows = this.list === 'open' && this.depth === this.rowDepth;
    if (atRows && unit === COMMA) {
      if (this.start < 0)
        this.fault ??= { message: 'invalid JSON: a comma without a row before it', ...this.placeOf(i) };
      this.comma = this.placeOf(i);
      return this.endRow();
    }
    if (atRows && unit === CLOSE_LIST) return this.closeList(i);
    if (atRows && this.start < 0) {
      this.start = this.offset + i;
      this.startLine = this.line;
    }
    this.last = this.offset + i;
    if (unit === QUOTE) {
      this.inString = true;
      if (this.depth === 1) this.key = '';
    } else if (unit === OPEN_LIST || unit === OPEN_OBJECT) {
      if (this.depth === 0 && this.rowDepth === 0) this.rowDepth = unit === OPEN_LIST ? 1 : 2;
      this.depth++;
      const ofRows = this.depth === this.rowDepth && (this.rowDepth === 1 || this.key === 'data');
      if (unit === OPEN_LIST && ofRows) this.openList(units, i);
    } else if (unit === CLOSE_LIST || unit === CLOSE_OBJECT) {
      this.depth--;
    }
  }

  private openList(units: Units, i: number): void {
    if (this.list === 'before') {
      this.list = 'open';
      this.frame.keep(units.subarray(this.frameFrom, i + 1));
      this.frameFrom = -1;
    } else if (this.rowDepth === 2) {
      this.fault ??= { message: 'more than one list of rows under "data"', ...this.placeOf(i) };
    }
  }

  private closeList(i: number): void {
    if (this.start < 0 && this.rows > 0) {
      this.fault ??= {
        message: 'invalid JSON: a comma after the last row',
        hint: 'Remove the comma before the closing bracket.',
        ...this.comma,
      };
    }
    this.endRow();
    this.list = 'after';
    this.depth--;
    this.frame.leaveOut(this.rows, this.placeOf(i));
    this.frameFrom = i;
  }

  private placeOf(i: number): { line: number; column: number } {
    return { line: this.line, column: this.offset + i - this.lineStart - this.extraBytes + 1 };
  }

  private endRow(): void {
    if (this.start >= 0) {
      this.rows++;
      this.onRow(this.start, this.last + 1, this.startLine);
    }
    this.start = -1;
  }
}

/** Records by RFC 4180: a quoted field may hold line breaks (LF, CR LF or CR). Empty lines are skipped. */
class CsvScanner implements RowScanner {
  private offset = 0;
  private line = 1;
  private start = -1;
  private startLine = 1;
  private quoted = false;
  private fieldBegins = true;
  private last = -1;
  private afterCr = false;
  /** Position of the latest closing quote. */
  private closedAt = -2;

  constructor(
    private readonly onRow: OnRow,
    private readonly delimiter: number,
  ) {}

  push(units: Units): void {
    for (let i = this.offset === 0 ? markLength(units) : 0; i < units.length; i++) {
      const unit = units[i];
      if (unit === LF || this.afterCr) this.line++;
      this.afterCr = unit === CR;
      if ((unit === LF || unit === CR) && !this.quoted) {
        this.endRecord();
        continue;
      }
      if (this.start < 0) {
        this.start = this.offset + i;
        this.startLine = this.line;
      }
      this.last = this.offset + i;
      // A doubled quote closes and reopens the field, with the same result. In an unquoted field a quote has no meaning.
      if (this.quoted) this.quoted = unit !== QUOTE;
      else if (unit === QUOTE && (this.fieldBegins || this.closedAt === this.offset + i - 1)) this.quoted = true;
      if (unit === QUOTE && !this.quoted) this.closedAt = this.offset + i;
      this.fieldBegins = !this.quoted && unit === this.delimiter;
    }
    this.offset += units.length;
  }

  finish(): null {
    this.endRecord();
    return null;
  }

  private endRecord(): void {
    if (this.start >= 0) this.onRow(this.start, this.last + 1, this.startLine);
    this.start = -1;
    this.quoted = false;
    this.fieldBegins = true;
    this.closedAt = -2;
  }
}
