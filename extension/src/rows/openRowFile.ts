// Opens a dataset file with the reader of its type. Called by training (engine/data/readRows.ts) and by the preview's worker. If a
// type must be detected from the content instead of the name, do it here.
import { extensionOf, fileTypeOf, ROW_FILE_EXTENSIONS, type RowFileType } from '../core/data/rowFileTypes.js';
import { InputError } from '../core/inputError.js';
import { DataFile } from './dataFile.js';
import { ParquetRows } from './parquetRows.js';
import type { RowReader } from './rowReader.js';
import { TextFileRows } from './scannedRows.js';

const readers: Record<RowFileType, (file: DataFile) => RowReader | Promise<RowReader>> = {
  jsonl: file => new TextFileRows(file, 'jsonl'),
  json: file => new TextFileRows(file, 'json'),
  csv: file => new TextFileRows(file, 'csv'),
  parquet: file => ParquetRows.open(file),
};

/** @throws InputError for an unknown type, a file that can't be opened, and as the readers do */
export async function openRowFile(path: string): Promise<RowReader> {
  const fileType = fileTypeOf(path);
  if (!fileType) {
    const extension = extensionOf(path);
    throw new InputError(
      extension ? `"${extension}" is not a dataset file type` : 'the dataset file has no extension',
      {
        file: path,
        hint: `Use a ${ROW_FILE_EXTENSIONS.join(', ')} file.`,
      },
    );
  }
  const file = await DataFile.open(path);
  try {
    return await readers[fileType](file);
  } catch (error) {
    await file.close();
    throw error;
  }
}
