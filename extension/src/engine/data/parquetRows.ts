// Rows of .parquet, one row group in memory at a time. Called by readRows.ts.
import { parquetMetadataAsync, parquetReadObjects, type FileMetaData } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { SourcedRow } from '../../core/data/example.js';
import { InputError } from '../../core/inputError.js';
import { RandomAccessFile } from '../files/randomAccessFile.js';
import type { ReadOptions } from './textBlocks.js';

/** `line` of a row's source is the number of the row. @throws InputError for a file that is not Parquet or is damaged */
export async function* readParquet(path: string, { signal, onShare }: ReadOptions): AsyncGenerator<SourcedRow> {
  const opened = new RandomAccessFile(path);
  const file = {
    byteLength: opened.size,
    slice(start: number, end = opened.size): ArrayBuffer {
      const bytes = new Uint8Array(Math.max(0, Math.min(end, opened.size) - start));
      opened.readInto(bytes, start);
      return bytes.buffer;
    },
  };
  try {
    const metadata: FileMetaData = await parquetMetadataAsync(file).catch(damaged(path));
    const total = Number(metadata.num_rows);
    let rowStart = 0;
    for (const group of metadata.row_groups) {
      signal?.throwIfAborted();
      const rowEnd = rowStart + Number(group.num_rows);
      const rows = await parquetReadObjects({ file, metadata, compressors, rowStart, rowEnd }).catch(damaged(path));
      for (const [index, row] of rows.entries()) {
        yield { row, source: { file: path, line: rowStart + index + 1 } };
      }
      rowStart = rowEnd;
      onShare?.(rowStart / Math.max(1, total));
    }
  } finally {
    opened.close();
  }
}

function damaged(path: string): (error: Error) => never {
  return error => {
    if (error instanceof InputError) throw error;
    throw new InputError(`the Parquet file can't be read: ${error.message}`, {
      where: path,
      hint: 'It may be truncated: copy or download it again.',
    });
  };
}
