// The format of a dataset and the mapping of its columns to the format's fields: from the run file, else from the first rows.
// Called by loadDataset and, through chooseFormat.ts, by the preview. Never guesses: if two formats fit, that is an error.
import { distance } from 'fastest-levenshtein';
import { InputError } from '../inputError.js';
import type { Row, SourcedRow } from './example.js';
import type { DatasetFormat } from './formats/datasetFormat.js';
import { datasetFormats } from './formats/registry.js';

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

/**
 * The only format that all sampled rows fit.
 * @param rows with columns already mapped
 * @throws InputError if no format fits, or more than one
 */
export function detectFormat(rows: readonly SourcedRow[]): DatasetFormat {
  const fitting = datasetFormats.filter(format => rows.every(({ row }) => format.detect(row)));
  if (fitting.length === 1) return fitting[0];
  if (fitting.length > 1) {
    const names = fitting.map(format => format.name);
    throw new InputError(`the rows fit more than one format: ${names.join(' and ')} (they have ${columnsOf(rows)})`, {
      ...rows[0].source,
      hint: `Set dataset.format to ${names.map(name => `"${name}"`).join(' or ')}.\n${describeFormats()}`,
    });
  }
  const odd = rows.find(({ row }) => !datasetFormats.some(format => format.detect(row))) ?? rows[0];
  const message = rows.every(({ row }) => datasetFormats.some(format => format.detect(row)))
    ? `the rows are of different formats (they have ${columnsOf(rows)})`
    : `the row fits no dataset format (it has ${columnsOf([odd])})`;
  throw new InputError(message, {
    ...odd.source,
    hint: `${suggestField(odd.row)}Rename the fields, or map them with dataset.columns.\n${describeFormats()}`,
  });
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
