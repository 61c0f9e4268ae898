// Reads and writes JSON files, such as those of model folders. A missing file gives null, one that isn't JSON an InputError with
// the line and the column.
import { writeFileAtomically } from './atomicFile.js';
import { InputError } from '../../core/inputError.js';
import { isDeep, JsonFault, MAX_DEPTH, parseJsonText, placeIn } from '../../core/data/jsonText.js';
import { readText, type Links } from '../../system/regularFile.js';

/** Indented, as a whole or not at all. @throws InputError if the disk is full or the folder can't be written */
export function writeJson(path: string, value: unknown): void {
  const text = Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
  writeFileAtomically(path, append => append(text));
}

/** @returns the object in the file; null if the file doesn't exist */
export function readJsonObject(path: string, links: Links = 'follow'): Record<string, unknown> | null {
  const text = readText(path, links);
  if (text === null) return null;
  // Everything that reads values is recursive.
  if (isDeep(text)) throw new InputError(`more than ${MAX_DEPTH} values are in each other`, { file: path });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw notJson(text, path);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InputError('this is not a JSON object', { file: path });
  }
  return value as Record<string, unknown>;
}

/** V8 doesn't always say where the fault is. */
function notJson(text: string, file: string): InputError {
  let found = 'NaN or Infinity';
  let offset = text.search(/(?<=(?:^|[:[,])\s*)-?(NaN|Infinity)\b/);
  try {
    parseJsonText(text);
  } catch (error) {
    if (error instanceof JsonFault) ({ found, offset } = error);
  }
  return new InputError(`this is not JSON: ${found}`, { file, ...placeIn(text, offset) });
}
