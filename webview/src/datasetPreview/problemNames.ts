// What the preview calls each kind of problem, in a table's cell and in the list of filters.
import type { ProblemCode } from '../../../extension/src/core/data/rowAnalysis.js';

const names: Record<ProblemCode, string> = {
  invalid_json: 'Not valid',
  invalid_row: 'Not of the format',
  wrong_role_order: 'Role order',
  all_masked: 'Nothing to learn',
  truncated_answer: 'Cut off',
  in_validation: 'In both files',
  duplicate: 'Duplicate',
  unlocated_turn: 'Turn not found',
};

export function problemName(code: string): string {
  return names[code as ProblemCode] ?? code;
}

export function isError(code: string): boolean {
  return code === 'invalid_json' || code === 'invalid_row';
}
