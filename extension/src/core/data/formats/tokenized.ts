// Rows that are already token ids. They are used unchanged, without their padding: no special tokens are added, and given
// labels and masks are kept.
import { IGNORE_LABEL, type Row, type RowSource } from '../example.js';
import { writeJsonText } from '../jsonText.js';
import type { DatasetFormat } from './datasetFormat.js';
import { applyTokenMasks, TOKEN_MASK_FIELDS } from './lossKeys.js';
import { asList, has, numberOf, readList, rowError } from './rowFields.js';

export const tokenized: DatasetFormat = {
  name: 'tokenized',
  title: 'Token ids',
  fields: [
    { name: 'input_ids', required: true, description: 'Token ids of the model’s tokenizer' },
    {
      name: 'labels',
      required: false,
      description: 'The same ids where loss is taken, -100 elsewhere; if absent, loss is taken on every token',
    },
    ...TOKEN_MASK_FIELDS,
  ],
  detect: row => asList(row.input_ids) !== undefined,
  parse(row, source) {
    const inputIds = integers(readList(row, 'input_ids', source), 'input_ids', source);
    const labels = has(row, 'labels') ? readLabels(row, inputIds, source) : undefined;
    return { kind: 'tokenized', ...applyTokenMasks({ inputIds, labels }, row, source) };
  },
};

function readLabels(row: Row, inputIds: number[], source: RowSource): number[] {
  const labels = integers(readList(row, 'labels', source), 'labels', source);
  if (labels.length !== inputIds.length) {
    throw rowError(source, `"labels" has ${labels.length} entries, "input_ids" ${inputIds.length}`);
  }
  labels.forEach((label, i) => {
    if (label === IGNORE_LABEL || label === inputIds[i]) return;
    throw rowError(
      source,
      `labels[${i}] is ${label}, but input_ids[${i}] is ${inputIds[i]}`,
      `A label is the token's own id (the shift by one happens in the loss) or ${IGNORE_LABEL}.`,
    );
  });
  return labels;
}

function integers(list: unknown[], field: string, source: RowSource): number[] {
  return list.map((value, i) => {
    const number = numberOf(value);
    if (number !== undefined && Number.isInteger(number)) return number;
    throw rowError(source, `${field}[${i}] must be an integer, but is ${writeJsonText(value)}`);
  });
}
