// Puts rows of a dataset into its quarantine file and takes them out. Called by `quarantine`; the dataset is only read.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { excerptOf } from '../../core/data/exampleText.js';
import type { Place } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import { quarantineFile, type QuarantinedRow } from '../../protocol/quarantine.js';
import type { QuarantineAnswer } from '../../protocol/rowLosses.js';
import { datasetConfigSchema, type DatasetConfig } from '../../protocol/datasetConfig.js';
import { isFolder } from '../../system/fileStat.js';
import { datasetFile } from '../data/datasetFile.js';
import { readExamples } from '../data/loadDataset.js';
import { orderedQuarantine, readQuarantine, writeQuarantine } from '../data/quarantine.js';
import { sourceHash } from '../data/sourceHash.js';
import { readRunFile, type RunFile } from './readRunFile.js';
import { recordedHashes, trainingFile } from './trainedRows.js';

/** A dataset, how its rows are read, and its quarantine file. */
export interface QuarantinedDataset {
  dataset: string;
  config: Pick<DatasetConfig, 'format' | 'columns'>;
  file: string;
  /** SHA-256 of the dataset as the run read it last: lines of a run are those of that file. Not known without a run, and of old runs. */
  contentHash?: string;
}

/** @param path a dataset, a run file, or the folder of a run */
export function quarantinedDataset(path: string, format: string): QuarantinedDataset {
  const inFolder = join(path, 'run.json');
  const isRun = isFolder(path) && existsSync(inFolder);
  if (isRun) return { ...ofRun(readRunFile(inFolder)), contentHash: recordedHashes(path).at(-1) };
  const dataset = datasetFile(resolve(path), 'train');
  return { dataset, config: datasetConfigSchema.parse({ train: dataset, format }), file: quarantineFile(dataset) };
}

export function ofRun(run: RunFile): QuarantinedDataset {
  const dataset = trainingFile(run);
  const { exclude } = run.config.dataset;
  return {
    dataset,
    config: run.config.dataset,
    file: exclude === null ? quarantineFile(dataset) : run.resolvePath(exclude),
  };
}

/** A row, as the user names it: by its line, or by the beginning of its hash. */
export type RowName = { line: number } | { hash: string };

/**
 * Adds and removes rows, and writes the file if that changes it. Rows to remove may be named by their lines now or then.
 * @throws InputError if a row isn't found, or the file can't be read or written
 */
export async function changeQuarantine(
  { dataset, config, file, contentHash }: QuarantinedDataset,
  { add, remove }: { add: readonly RowName[]; remove: readonly RowName[] },
): Promise<QuarantineAnswer> {
  const before = readQuarantine(file) ?? [];
  const found = await findRows(dataset, config, [...before.map(({ hash }) => ({ hash })), ...add, ...remove]);
  if (contentHash !== undefined && contentHash !== found.contentHash) refuseLines(add, dataset);
  const added = add.map(name => found.one(name));
  const removed = new Set(remove.map(name => quarantined(name, before, found, file).hash));
  const both = added.find(({ hash }) => removed.has(hash));
  if (both)
    throw new InputError(`the row of line ${both.line} is to be both added and removed`, {
      ...{ file: dataset, line: both.line, key: '--remove' },
      hint: 'Name it once. Rows with equal content are one.',
    });
  // Read again, since finding the rows takes a while, in which another process may have changed the file.
  const now = readQuarantine(file) ?? [];
  const rows = orderedQuarantine([...now, ...added]).filter(({ hash }) => !removed.has(hash));
  if (add.length + remove.length > 0) writeQuarantine(file, rows);
  return {
    file,
    dataset,
    rows: rows.map(({ hash, line }) => ({ hash, line, lines: found.lines(hash), text: found.text(hash) })),
  };
}

/** @throws InputError if a row is named by its line in a file that has been edited since */
function refuseLines(names: readonly RowName[], dataset: string): void {
  const named = names.find(name => 'line' in name);
  if (named)
    throw new InputError('the file has been edited since the run, so its lines may be other rows now', {
      file: dataset,
      line: named.line,
      hint: 'Name rows by their hashes, as tunewright rows --json prints them, or name the dataset instead of the run.',
    });
}

function quarantined(name: RowName, rows: readonly QuarantinedRow[], found: FoundRows, file: string): { hash: string } {
  const begin = 'hash' in name ? name.hash : found.hashAt(name.line);
  const [row, another] = begin === undefined ? [] : rows.filter(({ hash }) => hash.startsWith(begin));
  if (another) throw ambiguous(begin!, { file, key: '--remove' });
  const known = row ?? ('line' in name ? rows.find(({ line }) => line === name.line) : undefined);
  if (known) return known;
  throw new InputError(`${'hash' in name ? name.hash : `line ${name.line}`} is not in quarantine`, {
    file,
    key: '--remove',
    hint: 'List what is with tunewright quarantine and the dataset.',
  });
}

function ambiguous(hash: string, place: Place): InputError {
  return new InputError(`several rows have hashes that begin with ${hash}`, { ...place, hint: 'Name the whole hash.' });
}

async function findRows(
  dataset: string,
  config: QuarantinedDataset['config'],
  names: readonly RowName[],
): Promise<FoundRows> {
  const found = new FoundRows(dataset);
  const hashes = names.flatMap(name => ('hash' in name ? name.hash : []));
  const lines = new Set(names.flatMap(name => ('line' in name ? name.line : [])));
  // Equal rows of named ones may be anywhere, so all are kept by their hash.
  const onHash = (hash: string) => (found.contentHash = hash);
  for await (const { example, source } of readExamples(dataset, config, { onHash })) {
    const hash = sourceHash(example);
    const isNamed = lines.has(source.line) || hashes.some(begin => hash.startsWith(begin));
    found.add(hash, source.line, isNamed ? (excerptOf(example) ?? '') : null);
  }
  return found;
}

/** Rows of a dataset by hash and line. */
class FoundRows {
  private readonly byHash = new Map<string, { lines: number[]; text: string | null }>();
  private readonly byLine = new Map<number, string[]>();
  contentHash = '';

  constructor(private readonly dataset: string) {}

  add(hash: string, line: number, text: string | null): void {
    const row = this.byHash.get(hash) ?? { lines: [], text: null };
    row.lines.push(line);
    row.text ??= text;
    this.byHash.set(hash, row);
    this.byLine.set(line, [...(this.byLine.get(line) ?? []), hash]);
  }

  lines(hash: string): number[] {
    return this.byHash.get(hash)?.lines ?? [];
  }

  text(hash: string): string {
    return this.byHash.get(hash)?.text ?? '';
  }

  /** undefined if no row, or several that differ, begin at the line. */
  hashAt(line: number): string | undefined {
    const [hash, another] = new Set(this.byLine.get(line));
    return another === undefined ? hash : undefined;
  }

  /** @throws InputError unless there is exactly one */
  one(name: RowName): QuarantinedRow {
    const place = { file: this.dataset, key: '--add' };
    if ('hash' in name) {
      const [hash, another] = [...this.byHash.keys()].filter(each => each.startsWith(name.hash));
      if (another !== undefined) throw ambiguous(name.hash, place);
      if (hash !== undefined) return { hash, line: this.lines(hash)[0]! };
      throw new InputError(`no row of the dataset has the hash ${name.hash}`, {
        ...place,
        hint: 'It has been edited or removed since: name it by its line.',
      });
    }
    const { line } = name;
    const hash = this.hashAt(line);
    if (hash !== undefined) return { hash, line };
    const rows = this.byLine.get(line);
    throw new InputError(
      rows ? `${rows.length} rows begin at line ${line}` : `no row that can be used begins at line ${line}`,
      {
        ...place,
        line,
        hint: rows
          ? 'Name the row by its hash, as tunewright rows --json prints it.'
          : 'Name the line that an editor shows; of CSV the first line of the row, of Parquet the number of the row.',
      },
    );
  }
}
