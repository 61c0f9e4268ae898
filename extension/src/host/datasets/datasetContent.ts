// Whether a file holds rows to train on, by its beginning. Asked for every file of the workspace that may be a dataset. Imports no vscode.
import type { Row } from '../../core/data/example.js';
import { chooseFormat, exampleOf } from '../../core/data/chooseFormat.js';
import { datasetFormats } from '../../core/data/formats/registry.js';
import { isObject, parseJson } from '../../core/data/formats/rowFields.js';
import { jsonOfPython } from '../../core/data/pythonLiteral.js';
import { fileTypeOf } from '../../core/data/rowFileTypes.js';
import { isSuiteFile } from '../../core/evaluation/isSuiteRow.js';
import { readFirstRows, type FirstRow } from './firstRows.js';

/** Rows are short; of a file whose first row is longer, more is read. */
const BEGINNINGS = [64 << 10, 1 << 20];

/** Files that are never datasets, whatever folder they are in: of models, tokenizers and trainers, and settings of programs. */
const OTHER_NAMES = new Set(
  [
    'config adapter_config generation_config tokenizer tokenizer_config preprocessor_config processor_config',
    'image_processor_config quantize_config quantization_config params vocab added_tokens special_tokens_map chat_template',
    'trainer_state all_results train_results eval_results run process attended state index',
    'settings launch tasks extensions composer deno biome lerna nx turbo',
  ].flatMap(line => line.split(' ').map(name => `${name}.json`)),
);
const OTHER_PATTERN =
  /^(package|tsconfig|jsconfig)\b.*\.json$|\.(index|tune|schema)\.json$|^(events|commands)\.ndjson$/;

export function isOtherFile(name: string): boolean {
  return OTHER_NAMES.has(name) || OTHER_PATTERN.test(name);
}

/** Parquet can't be read here, and holds nothing but rows. */
export async function holdsRows(path: string): Promise<boolean> {
  const fileType = fileTypeOf(path);
  if (fileType === null || fileType === 'parquet') return fileType !== null;
  for (const bytes of BEGINNINGS) {
    const rows = await readFirstRows(path, bytes);
    const read = rows.map(({ row }) => row);
    if (isSuiteFile(path, read)) return false;
    // What is wrong with JSON Lines that can't be read is said where they are chosen.
    if (rows.length > 0) return fitsFormat(rows) || (fileType === 'jsonl' && rows.every(({ row }) => row === null));
  }
  return false;
}

function fitsFormat(first: readonly FirstRow[]): boolean {
  const rows = first.map(({ row, text }) => row ?? printedByPython(text)).filter(row => row !== null);
  const resolved = chooseFormat(rows);
  if (resolved) return rows.some(row => exampleOf(row, resolved));
  // Rows that fit several formats become a dataset by dataset.format.
  const fits = (row: Row) =>
    datasetFormats.some(format => format.detect(row) && exampleOf(row, { format, columns: {} }));
  return rows.filter(fits).length * 2 > rows.length;
}

function printedByPython(text: string): Row | null {
  const json = jsonOfPython(text);
  const value = json === null ? null : parseJson(json);
  return isObject(value) ? value : null;
}
