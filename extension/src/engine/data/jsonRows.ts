// Rows of .jsonl (one object a line, streamed) and .json (one list of objects, read whole). Called by readRows.ts.
import { stat } from 'node:fs/promises';
import type { Row, SourcedRow } from '../../core/data/example.js';
import { InputError } from '../../core/inputError.js';
import { readTextBlocks, readWholeText, type ReadOptions } from './textBlocks.js';

/** JSON has to be parsed whole, at several times its size in memory. */
const maxJsonBytes = 256 << 20;

/** @throws InputError with file:line for a line that is no JSON object */
export async function* readJsonLines(path: string, options: ReadOptions): AsyncGenerator<SourcedRow> {
  for await (const block of readTextBlocks(path, options)) {
    let line = block.firstLine;
    for (const text of block.text.split('\n')) {
      if (text.trim() !== '') yield { row: parseLine(text, path, line), source: { file: path, line } };
      line++;
    }
  }
}

function parseLine(text: string, path: string, line: number): Row {
  const where = `${path}:${line}`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InputError(`invalid JSON: ${(error as Error).message}`, {
      where,
      hint: 'Each line must be one whole JSON object.',
    });
  }
  return asRow(value, where);
}

/** @throws InputError with file:line for invalid JSON, and for a file that is too large to be read whole */
export async function* readJsonArray(path: string, options: ReadOptions): AsyncGenerator<SourcedRow> {
  const size = (await stat(path).catch(() => null))?.size ?? 0;
  if (size > maxJsonBytes) {
    throw new InputError(`a .json file is read whole, and ${Math.round(size / 2 ** 20)} MB are too many for that`, {
      where: path,
      hint: `Write the rows as .jsonl, one object a line, which is streamed (the limit is ${maxJsonBytes >> 20} MB).`,
    });
  }
  const text = await readWholeText(path, options);
  const rows = parseArray(text, path);
  const lines = elementLines(text);
  for (const [index, value] of rows.entries()) {
    const line = lines[index] ?? 1;
    yield { row: asRow(value, `${path}:${line}`), source: { file: path, line } };
  }
}

function parseArray(text: string, path: string): unknown[] {
  if (text.trim() === '') return [];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const { message } = error as Error;
    const position = /position (\d+)/.exec(message);
    const end = position ? Number(position[1]) : text.length;
    const line = text.trimEnd().slice(0, end).split('\n').length;
    throw new InputError(`invalid JSON: ${message}`, { where: `${path}:${line}` });
  }
  const rows = Array.isArray(value) ? value : (value as { data?: unknown } | null)?.data;
  if (Array.isArray(rows)) return rows;
  throw new InputError('the file is neither a list of rows nor {"data": [rows]}', {
    where: path,
    hint: 'One JSON object a line belongs into a .jsonl file.',
  });
}

/** The line on which each element of the list of rows begins. `text` is valid JSON: a list, or an object with "data". */
function elementLines(text: string): number[] {
  const isObject = text.trimStart().startsWith('{');
  const rowDepth = isObject ? 2 : 1;
  const lines: number[] = [];
  let line = 1;
  let depth = 0;
  let key = '';
  let expectsElement = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '\n') line++;
    if (char === ' ' || char === '\n' || char === '\r' || char === '\t') continue;
    if (expectsElement && depth === rowDepth && char !== ']') {
      lines.push(line);
      expectsElement = false;
    }
    if (char === '"') {
      const start = i + 1;
      for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++;
      if (isObject && depth === 1) key = text.slice(start, i);
    } else if (char === '[' || char === '{') {
      depth++;
      if (char === '[' && depth === rowDepth && (!isObject || key === 'data')) {
        lines.length = 0; // of two "data" keys JSON.parse keeps the last
        expectsElement = true;
      }
    } else if (char === ']' || char === '}') {
      depth--;
      if (depth < rowDepth) expectsElement = false;
    } else if (char === ',' && depth === rowDepth && lines.length > 0 && (!isObject || key === 'data')) {
      expectsElement = true;
    }
  }
  return lines;
}

function asRow(value: unknown, where: string): Row {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Row;
  const kind = Array.isArray(value) ? 'a list' : value === null ? 'null' : `a ${typeof value}`;
  throw new InputError(`a row must be a JSON object, but this is ${kind}`, {
    where,
    hint: 'Such as {"prompt": "...", "completion": "..."}.',
  });
}
