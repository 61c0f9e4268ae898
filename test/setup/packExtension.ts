// Runs once before the tests that need VS Code: builds dist/ and packages the .vsix that they install, so that no test writes to
// dist/ while another reads it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { packageExtension } from '../../extension/scripts/package.mjs';

declare module 'vitest' {
  interface ProvidedContext {
    /** Path of the packaged extension. */
    vsix: string;
  }
}

export async function setup(project: TestProject): Promise<() => void> {
  const folder = mkdtempSync(join(tmpdir(), 'tunewright-vsix-'));
  project.provide('vsix', await packageExtension({ out: join(folder, 'tunewright.vsix') }));
  return () => rmSync(folder, { recursive: true, force: true });
}
