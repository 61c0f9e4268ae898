// Names a dataset row by its content, in suites that were made from it (core/evaluation/rowContent.ts).
import { createHash } from 'node:crypto';
import type { Example } from '../../core/data/example.js';
import { rowContent } from '../../core/evaluation/rowContent.js';

export function sourceHash(example: Example): string {
  return `sha256:${createHash('sha256').update(rowContent(example)).digest('hex')}`;
}
