// Reads JSON that a recording script wrote with `encode` of test/fixtures/templates/record_snippets.py.
import { readFileSync } from 'node:fs';

/** Whole floats become boxed numbers, large ints bigints, as chat templates are given them. */
export function readPythonJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'), (_, value: unknown) => {
    const { $float, $int } = (value ?? {}) as { $float?: number; $int?: string };
    return $float !== undefined ? Object($float) : $int !== undefined ? BigInt($int) : value;
  });
}
