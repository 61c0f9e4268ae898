// Rows that are already token ids. They are used unchanged: no special tokens are added, and given labels are kept.
import { IGNORE_LABEL, type RowSource } from '../example.js';
import type { DatasetFormat } from './datasetFormat.js';
import { asList, has, readList, rowError } from './rowFields.js';

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
  ],
  detect: row => asList(row.input_ids) !== undefined,
  parse(row, source) {
    const inputIds = integers(readList(row, 'input_ids', source), 'input_ids', source);
    if (!has(row, 'labels')) return { kind: 'tokenized', inputIds };
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
    return { kind: 'tokenized', inputIds, labels };
  },
};

function integers(list: unknown[], field: string, source: RowSource): number[] {
  return list.map((value, i) => {
    if (Number.isInteger(value)) return value as number;
    throw rowError(source, `${field}[${i}] must be an integer, but is ${String(value)}`);
  });
}
