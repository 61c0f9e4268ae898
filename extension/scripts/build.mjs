// Bundles the command-line engine to dist/tunewright.mjs. Called by extension/bin/tunewright.mjs when sources are newer.
// Packages stay external: a checkout runs them from node_modules.
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export async function buildEngine() {
  await build({
    absWorkingDir: root,
    entryPoints: { tunewright: 'extension/src/engine/cli/main.ts' },
    outdir: 'dist',
    outExtension: { '.js': '.mjs' },
    bundle: true,
    packages: 'external',
    platform: 'node',
    target: 'node20',
    format: 'esm',
    sourcemap: true,
    logLevel: 'warning',
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildEngine();
