// Text edits that fix a dataset: remove rows, repair broken JSON, correct a role. Pure; called by the host's quick fixes with
// the positions of rows from the dataset worker.
import { modify, parse, parseTree, findNodeAtLocation } from 'jsonc-parser';
import { isObject } from './formats/rowFields.js';
import { JsonFault, parseJsonText } from './jsonText.js';
import { jsonOfPython } from './pythonLiteral.js';
import { findRoleFault, type RoleFault } from './roleOrder.js';

export interface TextEdit {
  start: number;
  end: number;
  text: string;
}

interface Place {
  start: number;
  end: number;
}

/**
 * Removes rows together with the separator to the next one: the line break, the comma of a JSON list.
 * @param rows every row of the text, in order
 * @param removed indices of the rows to remove
 */
export function removeRows(rows: readonly Place[], removed: ReadonlySet<number>): TextEdit[] {
  const edits: TextEdit[] = [];
  for (let first = 0; first < rows.length; first++) {
    if (!removed.has(first)) continue;
    let last = first;
    while (removed.has(last + 1)) last++;
    const next = rows[last + 1];
    const before = rows[first - 1];
    if (next) edits.push({ start: rows[first].start, end: next.start, text: '' });
    else edits.push({ start: before?.end ?? rows[first].start, end: rows[last].end, text: '' });
    first = last;
  }
  return edits;
}

export interface RowRepair {
  title: string;
  /** Within the row's text. */
  edits: TextEdit[];
}

/**
 * Rewrites as strict JSON what Python prints of a dict, or what a lenient parser understands (a comment, a missing brace). Never
 * offered where it would change a value.
 */
export function repairJson(text: string): RowRepair | null {
  const json = jsonOfPython(text) ?? lenientJson(text);
  if (json === null || !isRow(json)) return null;
  return { title: 'Repair the JSON of this row', edits: [{ start: 0, end: text.length, text: json }] };
}

function lenientJson(text: string): string | null {
  // The lenient parser would round long integers, and knows no NaN.
  if (/\d{16}|NaN|Infinity/.test(text)) return null;
  return JSON.stringify(parse(text, [], { allowTrailingComma: true })) ?? null;
}

function isRow(json: string): boolean {
  try {
    const value = parseJsonText(json);
    return isObject(value) && Object.keys(value).length > 0;
  } catch (error) {
    // Half a surrogate pair can be written, but not read.
    if (error instanceof JsonFault) return false;
    throw error;
  }
}

/** Possible fixes for the first turn that is out of order. */
export function repairRoles(text: string): RowRepair[] {
  const fault = roleFaultOf(text);
  if (!fault) return [];
  const { path, key, found, expected } = fault;
  const repairs: RowRepair[] = [];
  if (expected !== null && expected !== found) {
    const edits = modify(text, [...path, key], expected, {});
    repairs.push({
      title: `Change ${key} to "${expected}"`,
      edits: edits.map(({ offset, length, content }) => ({ start: offset, end: offset + length, text: content })),
    });
  }
  const tree = parseTree(text);
  const turns = (tree && findNodeAtLocation(tree, [path[0]])?.children) ?? [];
  const places = turns.map(({ offset, length }) => ({ start: offset, end: offset + length }));
  if (places.length > 1) {
    repairs.push({ title: `Remove message ${path[1] + 1}`, edits: removeRows(places, new Set([path[1]])) });
  }
  return repairs;
}

/** Position of the role that is out of order, in the row's text. */
export function placeOfRoleFault(text: string): Place | null {
  const fault = roleFaultOf(text);
  const tree = fault && parseTree(text);
  const node = tree && findNodeAtLocation(tree, [...fault.path, fault.key]);
  return node ? { start: node.offset, end: node.offset + node.length } : null;
}

function roleFaultOf(text: string): RoleFault | null {
  const row: unknown = parse(text);
  return isObject(row) ? findRoleFault(row) : null;
}
