// Runs a TypeScript file, bundled on the fly beside the engine so that it finds the engine's packages in dist/node_modules; the engine
// has built those when it was started once. Called by scripts that other programs start.
import { build } from 'esbuild';
import { basename } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** @param {URL} file */
export async function runBundled(file) {
  const source = fileURLToPath(file);
  const outfile = fileURLToPath(new URL(`../../dist/test/${basename(source, '.ts')}.mjs`, import.meta.url));
  await build({
    entryPoints: [source],
    bundle: true,
    outfile,
    external: ['@tensorflow/*', 'esbuild', 'node-api-headers'],
    platform: 'node',
    target: 'node20',
    format: 'esm',
    logLevel: 'warning',
    // CommonJS packages inside an ES module ask for `require`.
    banner: { js: "import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);" },
  });
  await import(pathToFileURL(outfile).href);
}
