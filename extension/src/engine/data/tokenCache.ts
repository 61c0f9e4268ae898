// Tokenized datasets in a folder, for several runs on the same rows. Called by run/runRows.ts if a run has a cache. The name of a
// file is a hash of all that its tokens follow from, so that a changed dataset, tokenizer or engine never gets old ones.
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { writeFileAtomically } from '../files/atomicFile.js';
import { openRegularFile, readRange, regularFileSize } from '../../system/regularFile.js';
import { fileHash, valueHash } from './fileHash.js';
import { excludedHash } from './quarantine.js';
import { loadDataset, type Dataset, type LoadDatasetOptions, type WarningCode } from './loadDataset.js';
import { TokenStore } from './tokenStore.js';

const headerSchema = z.object({
  format: z.string(),
  /** Line in the file of each row. */
  lines: z.array(z.int()),
  numbers: z.array(z.int()),
  /** Tokens of each row. */
  lengths: z.array(z.int()),
  excluded: z.array(z.int()),
  stats: z.object({
    rows: z.int(),
    tokens: z.int(),
    labelTokens: z.int(),
    truncated: z.int(),
    dropped: z.int(),
    allMasked: z.int(),
    bad: z.int(),
    excluded: z.int(),
    longest: z.int(),
    contentHash: z.string(),
  }),
  leftOut: z.array(z.string()),
  warnings: z.array(z.object({ code: z.string(), message: z.string() })),
});
type Header = z.infer<typeof headerSchema>;

const HEADER_LENGTH_BYTES = 4;

/**
 * `loadDataset`, or its result from an earlier call with the same file and settings.
 * @param identity of tokenizer and engine
 */
export async function loadCachedDataset(
  folder: string,
  identity: string,
  options: LoadDatasetOptions,
): Promise<Dataset> {
  const { file, config, limitedBy, embeddingRows, role, exclude } = options;
  const contentHash = await fileHash(file);
  const { format, columns, max_length, train_on, truncation, on_bad_row } = config;
  const settings = { format, columns, max_length, train_on, truncation, on_bad_row };
  const excluded = exclude ? [exclude.file, excludedHash(exclude)] : [];
  const key = valueHash({ identity, file, contentHash, settings, limitedBy, embeddingRows, role, excluded });
  const path = join(folder, `tokens-${key}.bin`);
  const cached = readCached(path, options);
  if (cached) return cached;
  const warnings: Header['warnings'] = [];
  const dataset = await loadDataset({
    ...options,
    onWarning: (code, message) => {
      warnings.push({ code, message });
      options.onWarning(code, message);
    },
  });
  // The file may have been changed while it was read.
  if (dataset.stats.contentHash === contentHash) write(path, dataset, warnings);
  return dataset;
}

function write(path: string, dataset: Dataset, warnings: Header['warnings']): void {
  const rows = Array.from({ length: dataset.length }, (_, i) => i);
  const header: Header = {
    format: dataset.format,
    lines: rows.map(i => dataset.sourceOf(i).line),
    numbers: rows.map(i => dataset.numberOf(i)),
    lengths: rows.map(i => dataset.lengthOf(i)),
    excluded: [...dataset.excluded],
    stats: dataset.stats,
    leftOut: [...dataset.leftOut],
    warnings,
  };
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(HEADER_LENGTH_BYTES);
  length.writeUInt32LE(text.length);
  writeFileAtomically(path, append => {
    append(length);
    append(text);
    for (const i of rows) {
      const { inputIds, labels } = dataset.get(i);
      append(inputIds);
      append(labels);
    }
  });
}

/** null if there is no such file, or it isn't whole. */
function readCached(path: string, { file, onWarning, onProgress, memoryBytes }: LoadDatasetOptions): Dataset | null {
  if (regularFileSize(path, 'refuse') === null) return null;
  const { descriptor, size } = openRegularFile(path, 'refuse');
  try {
    const start = HEADER_LENGTH_BYTES + readRange(descriptor, 0, HEADER_LENGTH_BYTES).readUInt32LE();
    const header = headerSchema.parse(JSON.parse(readRange(descriptor, HEADER_LENGTH_BYTES, start).toString('utf8')));
    const { lengths, lines, numbers, excluded, stats, leftOut, warnings, format } = header;
    const rowBytes = (length: number) => 2 * length * Int32Array.BYTES_PER_ELEMENT;
    if (size !== start + lengths.reduce((sum, length) => sum + rowBytes(length), 0)) return null;
    const store = new TokenStore({ memoryBytes });
    let at = start;
    for (const length of lengths) {
      const both = new Int32Array(2 * length);
      Buffer.from(both.buffer).set(readRange(descriptor, at, (at += rowBytes(length))));
      store.append({ inputIds: both.subarray(0, length), labels: both.subarray(length) });
    }
    for (const { code, message } of warnings) onWarning(code as WarningCode, message);
    onProgress?.({ rows: lengths.length, excluded: stats.excluded, tokens: stats.tokens, share: 1 });
    return {
      file,
      format,
      length: lengths.length,
      lengthOf: i => store.lengthOf(i),
      get: i => store.get(i),
      sourceOf: i => ({ file, line: lines[i]! }),
      numberOf: i => numbers[i]!,
      excluded,
      stats,
      leftOut,
      close: () => store.close(),
    };
  } catch {
    return null;
  } finally {
    closeSync(descriptor);
  }
}
