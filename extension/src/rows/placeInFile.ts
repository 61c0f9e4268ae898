// Where in its file a fault within a row's text is. Called for the errors of training and for the findings of the preview.
import { placeIn } from '../core/data/jsonText.js';
import type { RowReader } from './rowReader.js';

/**
 * @param row its text, the unit at which it begins, and its first line
 * @param offset of the fault, in UTF-16 units of the text
 * @returns line and column of the file, from 1; the column is undefined if it isn't known
 */
export async function placeInFile(
  reader: Pick<RowReader, 'columnOf'>,
  { text, start, line }: { text: string; start: number; line: number },
  offset: number,
): Promise<{ line: number; column?: number }> {
  // A row may have several lines.
  const within = placeIn(text, offset);
  const begins = within.line > 1 ? 1 : await reader.columnOf(start);
  const column = begins === null ? undefined : within.column + begins - 1;
  return { line: line + within.line - 1, column };
}
