// Bundles the program into dist/: the command-line engine (tunewright.mjs, and packages that can't be bundled into it under
// dist/node_modules), the extension host (extension.cjs) and each webview. `npm run build` builds everything;
// extension/bin/tunewright.mjs builds only the engine if a source is newer.
import { build } from 'esbuild';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const require = createRequire(import.meta.url);

/** Paths of all bundled sources, whose licences must be included in the package. */
export const bundledSources = new Set();

const common = {
  metafile: true,
  plugins: [
    {
      name: 'bundled-sources',
      setup: ({ onEnd }) =>
        onEnd(({ metafile }) => Object.keys(metafile?.inputs ?? {}).forEach(path => bundledSources.add(path))),
    },
  ],
  absWorkingDir: root,
  bundle: true,
  minify: true,
  legalComments: 'none',
  logLevel: 'warning',
};

/**
 * Not bundled into the engine: tfjs must exist only once, the addon's sources are files, and undici, a fifth of all, is needed only
 * where something is downloaded.
 */
const ENGINE_PACKAGES = /^(@tensorflow\/.+|node-api-headers|undici)$/;

/** The modules of tfjs-node that the engine uses, without its entry, which requires its own addon. */
const TFJS_NODE_MODULES = ['nodejs_kernel_backend', 'register_all_kernels', 'proto/api_pb'];

export async function buildEngine() {
  await Promise.all([buildEngineProgram(), buildEnginePackages()]);
}

/** Loads them by `require`: with `import`, Node scans the whole text of a CommonJS package for the names that it exports. */
const byRequire = {
  name: 'by-require',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: ENGINE_PACKAGES }, ({ path, namespace }) =>
      namespace === 'by-require' ? { path, external: true } : { path, namespace: 'by-require' },
    );
    onLoad({ filter: /./, namespace: 'by-require' }, ({ path }) => ({
      contents: `module.exports=require(${JSON.stringify(path)})`,
    }));
  },
};

function buildEngineProgram() {
  return build({
    ...common,
    plugins: [...common.plugins, byRequire],
    entryPoints: { tunewright: 'extension/src/engine/cli/main.ts' },
    outdir: 'dist',
    outExtension: { '.js': '.mjs' },
    // Its CommonJS form requires files in a way that can't be bundled.
    alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' },
    platform: 'node',
    target: 'node20',
    format: 'esm',
    sourcemap: true,
    sourcesContent: false,
    // CommonJS packages inside an ES module need `require`.
    banner: { js: "import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);" },
  });
}

/**
 * Builds dist/node_modules: tfjs-core with its gradients as one file, the union package as an alias of it (tfjs-node needs no
 * more), tfjs-node's kernels and its addon's sources, the wasm and WebGPU backends, undici. 4 MB instead of 290. All from ES6 modules: tfjs's ES5
 * classes can't extend tfjs-core's ES6 ones, and gradients exist only there.
 */
async function buildEnginePackages() {
  const folder = join(root, 'dist/node_modules');
  const stamp = join(folder, '.built');
  const lock = join(root, 'package-lock.json');
  const latest = Math.max(statSync(lock).mtimeMs, statSync(fileURLToPath(import.meta.url)).mtimeMs);
  if (existsSync(stamp) && statSync(stamp).mtimeMs > latest) return;
  // Written in place: a running program has already read all of these files.
  const core = '@tensorflow/tfjs-core';
  const bundled = {
    ...common,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    logOverride: { 'empty-import-meta': 'silent' },
  };
  const bundle = (name, file, contents, external) =>
    build({
      ...bundled,
      stdin: { contents, resolveDir: root },
      outfile: join(folder, name, file),
      external,
      mainFields: ['module', 'main'],
    });
  const manifest = (name, main) => {
    const { version, license } = require(`${name}/package.json`);
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, name, 'package.json'), `${JSON.stringify({ name, version, license, main })}\n`);
  };
  const put = (name, file, text) => {
    mkdirSync(dirname(join(folder, name, file)), { recursive: true });
    writeFileSync(join(folder, name, file), text);
  };

  manifest(core, 'index.js');
  manifest('@tensorflow/tfjs', 'index.js');
  put('@tensorflow/tfjs', 'index.js', `module.exports=require('${core}');\n`);
  manifest('@tensorflow/tfjs-node', 'dist/all.js');
  for (const entry of TFJS_NODE_MODULES) {
    const all = entry.includes('/') ? '../all.js' : './all.js';
    put('@tensorflow/tfjs-node', `dist/${entry}.js`, `module.exports=require('${all}')['${entry}']();\n`);
  }
  const addonSources = dirname(require.resolve('@tensorflow/tfjs-node/package.json'));
  cpSync(join(addonSources, 'binding'), join(folder, '@tensorflow/tfjs-node/binding'), { recursive: true });
  const wasm = '@tensorflow/tfjs-backend-wasm';
  manifest(wasm, 'dist/index.js');
  const wasmFolder = dirname(require.resolve(wasm));
  const webgpu = '@tensorflow/tfjs-backend-webgpu';
  manifest(webgpu, 'index.js');
  manifest('undici', 'index.js');
  manifest('node-api-headers', 'index.js');
  const headers = dirname(require.resolve('node-api-headers/package.json'));
  cpSync(join(headers, 'include'), join(folder, 'node-api-headers/include'), { recursive: true });
  put('node-api-headers', 'index.js', "exports.include_dir=require('node:path').join(__dirname,'include');\n");

  await Promise.all([
    bundle(
      core,
      'index.js',
      `export * from '${core}';
       import '${core}/dist/register_all_gradients';
       import '${core}/dist/public/chained_ops/register_all_chained_ops';`,
      [],
    ),
    bundle(
      '@tensorflow/tfjs-node',
      'dist/all.js',
      TFJS_NODE_MODULES.map(entry => `exports['${entry}'] = () => require('@tensorflow/tfjs-node/src/${entry}');`).join(
        '\n',
      ),
      ['@tensorflow/tfjs', core],
    ),
    bundle(wasm, 'dist/index.js', `export * from '${wasm}';`, [core]),
    // Without its entry, which registers a backend for browsers. Its kernels and flags are registered when they are loaded.
    bundle(
      webgpu,
      'index.js',
      `import '${webgpu}/dist/flags_webgpu';
       export * from '${webgpu}/dist/webgpu';
       import '${webgpu}/dist/register_all_kernels';`,
      [core],
    ),
    bundle('undici', 'index.js', `module.exports = require('undici');`, []),
  ]);
  for (const file of ['tfjs-backend-wasm.wasm', 'tfjs-backend-wasm-simd.wasm'])
    copyFileSync(join(wasmFolder, file), join(folder, wasm, 'dist', file));
  writeFileSync(stamp, '');
}

/** Of zod: its JSON schemas, 20 kB that the methods of every schema refer to. The engine and the pages make them, the host doesn't. */
const withoutJsonSchemas = {
  name: 'without-json-schemas',
  setup({ onLoad }) {
    const names = 'toJSONSchema,JSONSchemaGenerator,createToJSONSchemaMethod,createStandardJSONSchemaMethod';
    onLoad({ filter: /zod[\\/]v4[\\/]core[\\/](to-json-schema|json-schema-(processors|generator))\.js$/ }, () => ({
      contents: `const missing=()=>{throw new Error('JSON schemas are not in this bundle')};export{${names
        .split(',')
        .map(name => `missing as ${name}`)}};`,
    }));
  },
};

/** Of our schemas: titles and descriptions, which only JSON schemas have; 7 kB. Lines stay where they are, for source maps. */
const withoutDescriptions = {
  name: 'without-descriptions',
  setup({ onLoad }) {
    const text = String.raw`\s*(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\s*,?\s*`;
    const described = new RegExp(
      String.raw`\.describe\(${text}\)|\.meta\(\s*about\(${text}(?:,?${text})?\),?\s*\)`,
      'g',
    );
    onLoad({ filter: /[\\/]protocol[\\/]\w+\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replaceAll(described, found => '\n'.repeat(found.split('\n').length - 1)),
      loader: 'ts',
    }));
  },
};

/** Of vscode-jsonrpc: 64 definitions of properties, 7 kB, that hand on what its modules export under the same names. */
const withoutReexports = {
  name: 'without-reexports',
  setup({ onLoad }) {
    onLoad({ filter: /vscode-jsonrpc[\\/]lib[\\/]common[\\/]api\.js$/ }, ({ path }) => {
      const modules = readFileSync(path, 'utf8').matchAll(/^const \w+ = require\("(\.\/\w+)"\);$/gm);
      const all = Array.from(modules, ([, name]) => `require(${JSON.stringify(name)})`);
      return { contents: `module.exports=Object.assign({RAL:require('./ral').default},${all});` };
    });
  },
};

/** Packages that the host imports when they are needed: files of their own beside its bundle. */
const LOADED_LATER = ['chokidar'];

const loadedLater = {
  name: 'loaded-later',
  setup({ onResolve }) {
    onResolve({ filter: new RegExp(`^(${LOADED_LATER.join('|')})$`) }, ({ path }) => ({
      path: `./${path}.cjs`,
      external: true,
    }));
  },
};

/** `vscode` is external only here, so that an import of it elsewhere breaks the other bundles. */
export async function buildHost() {
  const workers = readdirSync(join(root, 'extension/src/host'), { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('Worker.ts'))
    .map(path => `extension/src/host/${path.replaceAll('\\', '/')}`);
  const node = { ...common, platform: 'node', target: 'node20', format: 'cjs', sourcemap: true, sourcesContent: false };
  const outExtension = { '.js': '.cjs' };
  await build({
    ...node,
    plugins: [...common.plugins, withoutJsonSchemas, withoutDescriptions, withoutReexports, loadedLater],
    entryPoints: { extension: 'extension/src/host/extension.ts' },
    outdir: 'dist',
    outExtension,
    external: ['vscode'],
    // `import()` becomes `require`, which every extension host has.
    supported: { 'dynamic-import': false },
    // Loading is part of the activation time, so measuring starts at the first line. Uses CPU time, of the thread if Node supports
    // it, so that other programs and extensions don't count.
    banner: {
      js:
        'const ownMs=()=>{const{user,system}=(process.threadCpuUsage??process.cpuUsage).call(process);' +
        'return(user+system)/1e3};const loadingBegan=ownMs();',
    },
    // zod accesses it to detect Cloudflare, and VS Code logs a warning for extensions that do.
    define: { navigator: 'undefined' },
    // Resolves the ES module form of packages, for tree shaking.
    mainFields: ['module', 'main'],
  });
  if (workers.length > 0)
    await build({
      ...node,
      entryPoints: {
        ...Object.fromEntries(workers.map(path => [path.replace(/^.*\/|\.ts$/g, ''), path])),
        ...Object.fromEntries(LOADED_LATER.map(name => [name, name])),
      },
      outdir: 'dist',
      outExtension,
      mainFields: ['module', 'main'],
    });
}

export async function buildWebviews() {
  const sources = join(root, 'webview/src');
  const names = existsSync(sources)
    ? readdirSync(sources).filter(name => existsSync(join(sources, name, 'main.ts')))
    : [];
  await build({
    ...common,
    entryPoints: Object.fromEntries(names.map(name => [name, `webview/src/${name}/main.ts`])),
    outdir: 'dist/webview',
    platform: 'browser',
    target: 'es2022',
    format: 'iife',
    loader: { '.ttf': 'file', '.svg': 'file' },
  });
  const codicons = dirname(require.resolve('@vscode/codicons/dist/codicon.css'));
  mkdirSync(join(root, 'dist/webview'), { recursive: true });
  for (const file of ['codicon.css', 'codicon.ttf'])
    copyFileSync(join(codicons, file), join(root, 'dist/webview', file));
}

export async function buildAll() {
  await Promise.all([buildEngine(), buildHost(), buildWebviews()]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--clean')) rmSync(join(root, 'dist'), { recursive: true, force: true });
  await buildAll();
}
