// Finds the npm package tfjs-node and what depends on it, from a checkout as well as from the bundled dist/. Called by the
// addon's build and the backends. Never imports the package's own entry: that one wants node-pre-gyp and its own addon.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Resolves this program's npm packages. */
export const requirePackage = createRequire(import.meta.url);

// Kernels of tfjs-node 4.22 call it, and Node 23 removed it. Here, since whoever loads them comes by: the backend, and what
// traces a step for an estimate.
requirePackage('node:util').isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;

const manifest = requirePackage.resolve('@tensorflow/tfjs-node/package.json');

/** Resolves what tfjs-node itself depends on, such as the union package `@tensorflow/tfjs`. */
export const requireFromTfjsNode = createRequire(manifest);

export const tfjsNodeVersion: string = requirePackage(manifest).version;

/** Folder of the C++ sources of the N-API addon. */
export const addonSourceFolder = join(dirname(manifest), 'binding');
