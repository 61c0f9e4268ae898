// Opens a dataset file with the reader of its type. Called by training (engine/data/readRows.ts) and by the preview's worker. How the
// rows of a text follow each other is decided from its content (core/data/rowLayout.ts).
import { extensionOf, fileTypeOf, ROW_FILE_EXTENSIONS, type RowFileType } from '../core/data/rowFileTypes.js';
import { InputError } from '../core/inputError.js';
import { DataFile } from './dataFile.js';
import { ParquetRows } from './parquetRows.js';
import type { RowReader } from './rowReader.js';
import { TextFileRows } from './scannedRows.js';
import { textFile } from './textFile.js';

/** @throws InputError for an unknown type, a file that can't be opened, and as the readers do */
export async function openRowFile(path: string): Promise<RowReader> {
  const fileType = rowFileType(path);
  const file = await DataFile.open(path);
  if (fileType !== 'parquet') return new TextFileRows(await textFile(file), fileType);
  try {
    return await ParquetRows.open(file);
  } catch (error) {
    await file.close();
    throw error;
  }
}

function rowFileType(path: string): RowFileType {
  const fileType = fileTypeOf(path);
  if (fileType) return fileType;
  const extension = extensionOf(path);
  throw new InputError(extension ? `"${extension}" is not a dataset file type` : 'the dataset file has no extension', {
    file: path,
    hint: `Use a ${ROW_FILE_EXTENSIONS.join(', ')} file; a text may be compressed (.jsonl.gz).`,
  });
}
