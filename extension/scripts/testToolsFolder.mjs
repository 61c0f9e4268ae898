// Where code-server is kept: test-tools in the user's cache folder of Tunewright, or TUNEWRIGHT_TEST_TOOLS.
import envPaths from 'env-paths';
import { join, resolve } from 'node:path';

export function testToolsFolder() {
  const { TUNEWRIGHT_TEST_TOOLS: named, TUNEWRIGHT_CACHE: cache } = process.env;
  if (named) return resolve(named);
  return join(cache ? resolve(cache) : envPaths('tunewright', { suffix: '' }).cache, 'test-tools');
}
