// Plain text; every token is trained on.
import type { DatasetFormat } from './datasetFormat.js';
import { checkRowKeys } from './lossKeys.js';
import { readText } from './rowFields.js';

export const text: DatasetFormat = {
  name: 'text',
  title: 'Plain text',
  fields: [{ name: 'text', required: true, description: 'The text; every token is trained on' }],
  yields: true,
  detect: row => typeof row.text === 'string',
  parse(row, source) {
    checkRowKeys(row, source);
    return { kind: 'text', text: readText(row, 'text', source) };
  },
};
