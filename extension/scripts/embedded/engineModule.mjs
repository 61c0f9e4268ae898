// Imports a TypeScript module of the engine into a script, bundled in memory. For modules without external packages, such as the
// file formats; to run the whole engine, use extension/bin/tunewright.mjs.
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

/**
 * @param {string} module relative to extension/src: "engine/files/safetensors.ts"
 * @returns {Promise<any>} its exports
 */
export async function importEngineModule(module) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../../src/${module}`, import.meta.url))],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
}
