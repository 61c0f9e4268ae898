// The text around the rows of a .json file, collected during the scan and checked at the end: it must be JSON with a list of rows
// where rowScanner.ts found one. Used by rowScanner.ts only.
import type { ScanFault, Units } from './rowScanner.js';

/** Beyond this nothing is kept: a large .json file that isn't a dataset must not end up in memory. */
const MAX_UNITS = 64 << 20;

const latin1 = new TextDecoder('latin1');
const utf16 = new TextDecoder('utf-16le');

export class JsonFrame {
  private text = '';
  private units = 0;
  /** Length of the text before the rows, and the lines that the rows take. */
  private headLength = Infinity;
  private rowLines = 0;

  keep(units: Units): void {
    this.units += units.length;
    if (this.units > MAX_UNITS) return;
    // Only the structure matters, and it is ASCII.
    this.text += (units instanceof Uint8Array ? latin1 : utf16).decode(units);
  }

  /** @param lines line breaks between the beginning of the list and its end */
  leaveOut(rows: number, lines: number): void {
    this.headLength = this.text.length;
    this.rowLines = lines;
    if (rows > 0) this.text += '0';
  }

  /** @param lastLine line of the last unit that is not white space */
  fault(lastLine: number): ScanFault | null {
    if (this.units > MAX_UNITS) {
      return { message: `there are more than ${MAX_UNITS >> 20} MB outside the list of rows`, line: null };
    }
    let value: unknown;
    try {
      value = JSON.parse(this.text);
    } catch (error) {
      return this.faultOf((error as Error).message, lastLine);
    }
    const rows = Array.isArray(value) ? value : (value as { data?: unknown } | null)?.data;
    if (Array.isArray(rows)) return null;
    return {
      message: 'the file is neither a list of rows nor {"data": [rows]}',
      hint: 'Use the extension .jsonl for a file with one JSON object per line.',
      line: null,
    };
  }

  /** V8's quotes and positions refer to the text without the rows, so only the line is reported. */
  private faultOf(inFrame: string, lastLine: number): ScanFault {
    const message = inFrame.replace(/, (\.\.\.)?"[^]*" ?(\.\.\.)? is not valid JSON$/, '');
    const found = / (?:in JSON )?at position (\d+).*$/.exec(message);
    // V8 names no position if the error is at the end.
    if (!found) return { message: `invalid JSON: ${message}`, line: lastLine };
    const at = Number(found[1]);
    const line = this.text.slice(0, at).split('\n').length + (at >= this.headLength ? this.rowLines : 0);
    return { message: `invalid JSON: ${message.slice(0, found.index)}`, line: Math.min(line, lastLine) };
  }
}
