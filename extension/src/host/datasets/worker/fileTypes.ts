// Which files can be datasets, by their names. Used by the worker and by the host's parts alike.
import { extname } from 'node:path';
import type { DatasetFileType } from './workerMessages.js';

const types: Record<string, DatasetFileType> = {
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.json': 'json',
  '.csv': 'csv',
  '.parquet': 'parquet',
};

/** null where the extension is none of a dataset's. */
export function fileTypeOf(path: string): DatasetFileType | null {
  return types[extname(path).toLowerCase()] ?? null;
}
