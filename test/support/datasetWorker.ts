// Bundles the dataset worker like the product, in a temporary folder, for tests that start it.
import { build } from 'esbuild';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export interface BundledWorker {
  script: string;
  remove(): void;
}

export async function bundleDatasetWorker(): Promise<BundledWorker> {
  const folder = mkdtempSync(join(tmpdir(), 'tunewright-worker-'));
  const script = join(folder, 'datasetWorker.cjs');
  await build({
    absWorkingDir: root,
    entryPoints: ['extension/src/host/datasets/worker/datasetWorker.ts'],
    outfile: script,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    mainFields: ['module', 'main'],
    logLevel: 'error',
  });
  return { script, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
