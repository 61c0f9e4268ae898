// Short names of the kinds of problems, for table cells and the filter.
import type { ProblemCode } from '../../../extension/src/core/data/rowAnalysis.js';

const PROBLEM_NAMES: Record<ProblemCode, string> = {
  invalid_json: 'Invalid',
  invalid_row: 'Wrong format',
  wrong_role_order: 'Role order',
  all_masked: 'Nothing to train on',
  empty_answer: 'Empty answer',
  truncated_answer: 'Cut off',
  in_validation: 'In both files',
  duplicate: 'Duplicate',
  same_answers: 'Same answers',
  unlocated_turn: 'Turn not found',
};

export function problemName(code: string): string {
  return PROBLEM_NAMES[code as ProblemCode] ?? code;
}

export function isError(code: string): boolean {
  return code === 'invalid_json' || code === 'invalid_row';
}
