// Reads JSON files, such as those of model folders. A missing file gives null, one that isn't JSON an InputError with the
// line.
import { InputError } from '../../core/inputError.js';
import { readText, type Links } from '../../system/regularFile.js';

/** @returns the object in the file; null if the file doesn't exist */
export function readJsonObject(path: string, links: Links = 'follow'): Record<string, unknown> | null {
  const text = readText(path, links);
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const position = /at position (\d+)/.exec((error as Error).message);
    const line = position ? text.slice(0, Number(position[1])).split('\n').length : undefined;
    throw new InputError(`this is not JSON: ${(error as Error).message}`, { file: path, line });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InputError('this is not a JSON object', { file: path });
  }
  return value as Record<string, unknown>;
}
