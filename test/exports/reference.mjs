// Runs reference.ts, bundled on the fly beside the engine so that it finds the engine's packages in dist/node_modules. Computes nothing
// itself; started by exports.mjs.
import { build } from 'esbuild';
import { fileURLToPath, pathToFileURL } from 'node:url';

const outfile = fileURLToPath(new URL('../../dist/test/exportReference.mjs', import.meta.url));
await build({
  entryPoints: [fileURLToPath(new URL('reference.ts', import.meta.url))],
  bundle: true,
  outfile,
  external: ['@tensorflow/*', 'node-api-headers'],
  platform: 'node',
  target: 'node20',
  format: 'esm',
  logLevel: 'warning',
  // CommonJS packages inside an ES module ask for `require`.
  banner: { js: "import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);" },
});
await import(pathToFileURL(outfile).href);
