// Reads text and JSON files, such as those of model folders. A missing file gives null, one that isn't JSON an InputError with the
// line.
import { readFileSync, statSync } from 'node:fs';
import { InputError } from '../../core/inputError.js';

/** tokenizer.json of the largest vocabularies has about 35 MB; a renamed weight file must not be read into memory. */
const MAX_JSON_BYTES = 256 * 1024 * 1024;

/** @returns the text; null if the file doesn't exist */
export function readTextFile(path: string): string | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return null;
  if (!stat.isFile()) throw new InputError('this is not a file', { file: path });
  if (stat.size > MAX_JSON_BYTES) throw new InputError(`the file is too large (${stat.size} bytes)`, { file: path });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') {
      throw new InputError('the file is not UTF-8', { file: path, hint: 'Save it as UTF-8.' });
    }
    throw new InputError(`the file can't be read (${code})`, { file: path });
  }
}

/** @returns the object in the file; null if the file doesn't exist */
export function readJsonObject(path: string): Record<string, unknown> | null {
  const text = readTextFile(path);
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
