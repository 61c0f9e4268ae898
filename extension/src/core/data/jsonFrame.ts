// The text around the rows of a .json file, collected during the scan and checked at the end: it must be JSON with a list of rows
// where rowScanner.ts found one. Used by rowScanner.ts only.
import { JsonFault, parseJsonText, placeIn } from './jsonText.js';
import type { Units } from './rowLayout.js';
import type { ScanFault } from './rowScanner.js';

/** Beyond this nothing is kept: a large .json file that isn't a dataset must not end up in memory. */
const MAX_UNITS = 64 << 20;

const latin1 = new TextDecoder('latin1');
const utf16 = new TextDecoder('utf-16le');

export class JsonFrame {
  private text = '';
  private units = 0;
  /** Length of the text before the rows, and what the rows add to the line and the column of what follows them. */
  private headLength = Infinity;
  private rowLines = 0;
  private rowColumns = 0;

  keep(units: Units): void {
    this.units += units.length;
    if (this.units > MAX_UNITS) return;
    // Only the structure matters, and it is ASCII.
    this.text += (units instanceof Uint8Array ? latin1 : utf16).decode(units);
  }

  /** @param end where the list of rows is closed */
  leaveOut(rows: number, end: { line: number; column: number }): void {
    this.headLength = this.text.length;
    if (rows > 0) this.text += '0';
    const { line, column } = placeIn(this.text, this.text.length);
    this.rowLines = end.line - line;
    this.rowColumns = end.column - column;
  }

  /** @param end of the text, after the last unit that is not white space */
  fault(end: { line: number; column: number }): ScanFault | null {
    if (this.units > MAX_UNITS) {
      return { message: `there are more than ${MAX_UNITS >> 20} MB outside the list of rows`, line: null };
    }
    let value: unknown;
    try {
      value = parseJsonText(this.text);
    } catch (error) {
      if (!(error instanceof JsonFault)) throw error;
      return { message: `invalid JSON: ${error.found}`, ...this.placeOf(error.offset, end) };
    }
    const rows = Array.isArray(value) ? value : (value as { data?: unknown } | null)?.data;
    if (Array.isArray(rows)) return null;
    return {
      message: 'the file has neither rows nor a list of rows',
      hint: 'Each row must be a JSON object.',
      line: null,
    };
  }

  private placeOf(offset: number, end: { line: number; column: number }): { line: number; column: number } {
    if (this.text.slice(offset).trim() === '') return end;
    const { line, column } = placeIn(this.text, offset);
    if (offset < this.headLength) return { line, column };
    const sameLine = line === placeIn(this.text, this.headLength).line;
    return { line: line + this.rowLines, column: sameLine ? column + this.rowColumns : column };
  }
}
