// Reads one JSON file of a model folder. Called by the readers of model folders and model stores; a file that isn't
// there is null, one that isn't JSON is an InputError with the line.
import { readFileSync, statSync } from 'node:fs';
import { InputError } from '../../core/inputError.js';

/** tokenizer.json of the largest vocabularies has about 35 MB; a weight file given this name must not be read whole. */
const maxJsonBytes = 256 * 1024 * 1024;

/** @returns the text, or null where there is no such file. */
export function readTextFile(path: string): string | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return null;
  if (!stat.isFile()) throw new InputError('this is not a file', { file: path });
  if (stat.size > maxJsonBytes) throw new InputError(`${stat.size} bytes are too many for this file`, { file: path });
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

/** @returns the object in the file, or null where there is no such file. */
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
