// The format of a dataset and the mapping of its columns to the format's fields: from the run file, else from the first rows.
// Called by loadDataset and, through chooseFormat.ts, by the preview. Never guesses: if two formats fit, that is an error. Rows that
// don't fit the format of most others are invalid rows of that format.
import { distance } from 'fastest-levenshtein';
import { isSuiteRow } from '../evaluation/isSuiteRow.js';
import { InputError, unlessWrong } from '../inputError.js';
import type { Row, SourcedRow } from './example.js';
import type { DatasetFormat } from './formats/datasetFormat.js';
import { datasetFormats } from './formats/registry.js';
import { isObject } from './formats/rowFields.js';

/** Number of rows at the beginning of a file that determine its format, for training and for the preview. */
export const FORMAT_SAMPLE_ROWS = 20;

/** Field of the format -> column of the rows, as in the run file's dataset.columns. */
export type ColumnMapping = Readonly<Record<string, string>>;

/** @throws InputError for an unknown name, suggesting the nearest one */
export function formatByName(name: string): DatasetFormat {
  const format = datasetFormats.find(candidate => candidate.name === name);
  if (format) return format;
  const names = datasetFormats.map(candidate => candidate.name);
  throw new InputError(`unknown format "${name}"`, {
    key: 'dataset.format',
    hint: `Did you mean "${nearest(name, names)}"? Known formats: auto, ${names.join(', ')}.`,
  });
}

/** How rows are read: their format, and the columns that are fields of it under another name. */
export interface ResolvedFormat {
  format: DatasetFormat;
  columns: ColumnMapping;
}

/**
 * @param name as in dataset.format; "auto": the only format that the rows fit, as they are or else under names of other tools
 * @param allRows whether a format must fit all rows, not only most of them
 * @throws InputError for an unknown name, if no format fits, or more than one, and for rows of an evaluation suite
 */
export function resolveFormat(
  rows: readonly SourcedRow[],
  name: string,
  columns: ColumnMapping,
  allRows = false,
): ResolvedFormat {
  const named = name === 'auto' ? null : formatByName(name);
  if (rows.length > 0 && rows.every(({ row }) => isSuiteRow(row))) throw suiteRefusal(rows);
  const asTheyAre = rows.map(({ row, source }) => ({ row: mapColumns(row, columns), source }));
  const withAliases = (format: DatasetFormat) => aliasColumns(asTheyAre, format, columns);
  if (named) return { format: named, columns: withAliases(named) };

  const exact = fittingFormat(asTheyAre, () => asTheyAre, allRows);
  if (exact) return { format: exact, columns };
  const found = fittingFormat(
    asTheyAre,
    format => rows.map(({ row, source }) => ({ row: mapColumns(row, withAliases(format)), source })),
    allRows,
  );
  if (found) return { format: found, columns: withAliases(found) };
  throw noFormat(asTheyAre);
}

function suiteRefusal([{ source }]: readonly SourcedRow[]): InputError {
  return new InputError('this is an evaluation suite (its rows have checks), which is no dataset', {
    file: source.file,
    hint: 'Use it with tunewright evaluate --suite, or in dataset.suites.',
  });
}

/** The format that all rows fit, else the one that most do; null if none does. @throws InputError if more than one fits */
function fittingFormat(
  rows: readonly SourcedRow[],
  readAs: (format: DatasetFormat) => readonly SourcedRow[],
  allRows: boolean,
): DatasetFormat | null {
  const fits = datasetFormats.map(format => readAs(format).filter(({ row }) => format.detect(row)).length);
  const most = Math.max(...fits);
  if (allRows ? most < rows.length : most * 2 <= rows.length) return null;
  const all = datasetFormats.filter((_, i) => fits[i] === most);
  const trained = unlessNone(all, format => !format.isUntrained);
  const fitting = unlessNone(trained, format => !format.yields);
  if (fitting.length === 1) return fitting[0];
  const names = fitting.map(format => format.name);
  throw new InputError(`the rows fit more than one format: ${names.join(' and ')} (they have ${columnsOf(rows)})`, {
    ...rows[0].source,
    hint: `Set dataset.format to ${names.map(name => `"${name}"`).join(' or ')}.\n${describeFormats()}`,
  });
}

/** Those that are preferred; all, if none is. */
function unlessNone<T>(all: readonly T[], isPreferred: (item: T) => boolean): readonly T[] {
  const preferred = all.filter(isPreferred);
  return preferred.length > 0 ? preferred : all;
}

/** The mapping with the format's aliases: of fields that no row has, and columns that are not mapped. */
function aliasColumns(rows: readonly SourcedRow[], { fields }: DatasetFormat, columns: ColumnMapping): ColumnMapping {
  const present = new Set(rows.flatMap(({ row }) => Object.keys(row).filter(key => row[key] !== null)));
  const aliases = fields.flatMap(({ name, aliases = [] }) => {
    const alias = present.has(name) ? undefined : aliases.find(candidate => present.has(candidate));
    return alias === undefined || alias in columns ? [] : [[name, alias] as const];
  });
  return { ...columns, ...Object.fromEntries(aliases) };
}

function noFormat(rows: readonly SourcedRow[]): InputError {
  const fitsAny = ({ row }: SourcedRow) => datasetFormats.some(format => format.detect(row));
  const odd = rows.find(row => !fitsAny(row)) ?? rows[0];
  const message = rows.every(fitsAny)
    ? `the rows are of different formats (they have ${columnsOf(rows)})`
    : `the row fits no dataset format (it has ${columnsOf([odd])})`;
  return new InputError(message, {
    ...odd.source,
    hint: `${suggestList(odd.row) || suggestChosen(odd) || suggestField(odd.row)}Rename the fields, or map them with dataset.columns.\n${describeFormats()}`,
  });
}

/** Of preference data, of which one answer can be trained on: by the format that uses the most of a row. */
function suggestChosen({ row, source }: SourcedRow): string {
  if (!('chosen' in row && 'rejected' in row)) return '';
  const [best] = datasetFormats
    .flatMap(format => {
      const required = format.fields.filter(field => field.required);
      const fitting = required.filter(({ name }) => {
        const mapped = mapColumns(row, { [name]: 'chosen' });
        return !format.isUntrained && format.detect(mapped) && unlessWrong(() => format.parse(mapped, source));
      });
      return fitting.map(({ name }) => ({ name, uses: required.length }));
    })
    .sort((a, b) => b.uses - a.uses);
  return best ? `To train on the chosen answers, set dataset.columns to {"${best.name}": "chosen"}. ` : '';
}

/**
 * Why rows of this format can't be trained on; null if they can.
 * @param rows the first of the file
 */
export function untrainedFormat(format: DatasetFormat, rows: readonly SourcedRow[]): InputError | null {
  if (!format.isUntrained) return null;
  const trained = datasetFormats.filter(other => !other.isUntrained).map(({ name }) => name);
  const hint = (rows[0] && suggestChosen(rows[0])) || `Choose a dataset of the formats ${trained.join(', ')}.`;
  const message = `nothing trains on the format ${format.name} yet (the rows have ${columnsOf(rows)})`;
  return new InputError(message, { file: rows[0]?.source.file, hint: hint.trim() });
}

/** Of a JSON object that is read as one row, but has the rows in a list. */
function suggestList(row: Row): string {
  const lists = Object.entries(row).filter(
    ([, value]) =>
      Array.isArray(value) && value.some(item => isObject(item) && datasetFormats.some(format => format.detect(item))),
  );
  if (lists.length === 0) return '';
  const names = lists.map(([name]) => `"${name}"`).join(', ');
  return `The rows are probably in ${names}: put that list in a file of its own, or name it "data". `;
}

/**
 * Checks `columns` against the first rows, so that a typo does not silently leave an optional field empty.
 * @throws InputError naming the key of the run file
 */
export function checkColumns(columns: ColumnMapping, format: DatasetFormat | null, rows: readonly SourcedRow[]): void {
  const formats = format ? [format] : datasetFormats;
  const fields = formats.flatMap(candidate => candidate.fields.map(field => field.name));
  const present = new Set(rows.flatMap(({ row }) => Object.keys(row)));
  for (const [field, column] of Object.entries(columns)) {
    const key = `dataset.columns.${field}`;
    if (!fields.includes(field)) {
      throw new InputError(`${format ? `the format ${format.name}` : 'no format'} has a field "${field}"`, {
        key,
        hint: `Did you mean "${nearest(field, fields)}"? Write "field of the format": "column of your rows".`,
      });
    }
    if (!present.has(column)) {
      throw new InputError(`the rows have no column "${column}"`, {
        key,
        hint: `Did you mean "${nearest(column, [...present])}"? The rows have ${columnsOf(rows)}.`,
      });
    }
  }
}

/** The row with its columns renamed to the format's fields; unmapped columns keep their names. */
export function mapColumns(row: Row, columns: ColumnMapping): Row {
  const entries = Object.entries(columns);
  if (entries.length === 0) return row;
  const mapped: Row = { ...row };
  for (const [, column] of entries) delete mapped[column];
  for (const [field, column] of entries) mapped[field] = row[column];
  return mapped;
}

function columnsOf(rows: readonly SourcedRow[]): string {
  return [...new Set(rows.flatMap(({ row }) => Object.keys(row)))].join(', ') || 'no fields';
}

function describeFormats(): string {
  const lines = datasetFormats.map(({ name, fields }) => {
    const names = fields.map(field => (field.required ? field.name : `${field.name}?`));
    return `    ${name}: ${names.join(', ')}`;
  });
  return ['  Formats and their fields (? is optional):', ...lines].join('\n');
}

/** Suggests the required field that a column is probably meant to be, such as "instruction" for "instructions". */
function suggestField(row: Row): string {
  const required = datasetFormats.flatMap(format =>
    format.fields.filter(field => field.required).map(field => field.name),
  );
  for (const column of Object.keys(row)) {
    const field = nearest(column, required);
    const difference = distance(column.toLowerCase(), field);
    if (column !== field && difference <= Math.max(1, field.length / 4))
      return `Is "${column}" meant to be "${field}"? `;
  }
  return '';
}

function nearest(name: string, candidates: readonly string[]): string {
  return [...candidates].sort((a, b) => distance(name.toLowerCase(), a) - distance(name.toLowerCase(), b))[0];
}
