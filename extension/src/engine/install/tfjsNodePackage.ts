// Finds the npm package tfjs-node and its dependencies, both from a checkout and from the bundled dist/. Used to build the addon and
// by the backends. Never imports the package's own entry, which requires node-pre-gyp and its own addon.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Resolves this program's npm packages. */
export const requirePackage = createRequire(import.meta.url);

// Node 23 removed this function, but kernels of tfjs-node 4.22 call it. Restored here, since everything that loads them imports this
// file: the backend, and the tracing of steps for estimates.
requirePackage('node:util').isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;

const manifest = requirePackage.resolve('@tensorflow/tfjs-node/package.json');

/** Resolves the dependencies of tfjs-node, such as the union package `@tensorflow/tfjs`. */
export const requireFromTfjsNode = createRequire(manifest);

export const tfjsNodeVersion: string = requirePackage(manifest).version;

/** Folder of the C++ sources of the N-API addon. */
export const addonSourceFolder = join(dirname(manifest), 'binding');
