// Which format a dataset is in, and its columns under the format's names: what the run file says, else what the first rows
// show. Called by loadDataset and, by way of chooseFormat.ts, for the preview. Never guesses: two formats that fit are an error.
import { distance } from 'fastest-levenshtein';
import { InputError } from '../inputError.js';
import type { Row, SourcedRow } from './example.js';
import type { DatasetFormat } from './formats/datasetFormat.js';
import { datasetFormats } from './formats/registry.js';

/** Rows from the beginning of a file that decide its format, for training and for the preview. */
export const sampleRows = 20;

/** Format's field -> column of the rows, as the run file's dataset.columns. */
export type ColumnMapping = Readonly<Record<string, string>>;

/** @throws InputError for a name that no format has, with the nearest one */
export function formatByName(name: string): DatasetFormat {
  const format = datasetFormats.find(candidate => candidate.name === name);
  if (format) return format;
  const names = datasetFormats.map(candidate => candidate.name);
  throw new InputError(`there is no format "${name}"`, {
    key: 'dataset.format',
    hint: `Did you mean "${nearest(name, names)}"? Known are auto, ${names.join(', ')}.`,
  });
}

/**
 * The one format that every sampled row fits, columns already mapped.
 * @throws InputError where no format fits, or more than one
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
 * Checks `columns` against the first rows, so that a typing error does not silently leave an optional field empty.
 * @throws InputError naming the key of the run file
 */
export function checkColumns(columns: ColumnMapping, format: DatasetFormat | null, rows: readonly SourcedRow[]): void {
  const formats = format ? [format] : datasetFormats;
  const fields = formats.flatMap(candidate => candidate.fields.map(field => field.name));
  const present = new Set(rows.flatMap(({ row }) => Object.keys(row)));
  for (const [field, column] of Object.entries(columns)) {
    const key = `dataset.columns.${field}`;
    if (!fields.includes(field)) {
      const owner = format ? `the format ${format.name} has` : 'any format has';
      throw new InputError(`"${field}" is no field that ${owner}`, {
        key,
        hint: `Did you mean "${nearest(field, fields)}"? The format's field comes first, then the column of your rows.`,
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

/** The row with its columns under the format's names; columns that are not mapped keep theirs. */
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

/** A field whose name is nearly a required one, such as "instructions". */
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
