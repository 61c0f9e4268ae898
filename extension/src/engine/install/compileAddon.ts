// Builds tfjs-node's N-API addon, linked to TensorFlow's library in the same folder, with one call of the C++ compiler. Why not
// with node-gyp: extension/docs/decisions/0001-engine-library.md. Never writes to node_modules.
import { existsSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { findCppCompiler, missingCompiler } from './cppCompiler.js';
import type { InstallContext } from './progress.js';
import { runCommand } from '../machine/runCommand.js';
import { addonSourceFolder, requirePackage } from './tfjsNodePackage.js';

export const ADDON = 'tfjs_binding.node';
export const MUTE_STDERR = 'mute_stderr.node';

/**
 * TensorFlow writes informative messages to standard error while its library initializes, before it reads TF_CPP_MIN_LOG_LEVEL.
 * JavaScript can't redirect a file descriptor, so this addon does it while the library is loading.
 */
const MUTE_STDERR_SOURCE = `
#include <fcntl.h>
#include <node_api.h>
#include <unistd.h>
static int saved = -1;
static napi_value Mute(napi_env, napi_callback_info) {
  int sink = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (saved != -1 || sink == -1) return nullptr;
  saved = fcntl(2, F_DUPFD_CLOEXEC, 3);
  if (saved != -1) dup2(sink, 2);
  close(sink);
  return nullptr;
}
static napi_value Restore(napi_env, napi_callback_info) {
  if (saved == -1) return nullptr;
  dup2(saved, 2);
  close(saved);
  saved = -1;
  return nullptr;
}
NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "mute", NAPI_AUTO_LENGTH, Mute, nullptr, &function);
  napi_set_named_property(env, exports, "mute", function);
  napi_create_function(env, "restore", NAPI_AUTO_LENGTH, Restore, nullptr, &function);
  napi_set_named_property(env, exports, "restore", function);
  return exports;
}
`;

/** Full paths of the TensorFlow libraries in a folder: the C API, then the framework if it is separate. */
export function findLibraries(folder: string): string[] {
  const names =
    process.platform === 'darwin'
      ? [['libtensorflow_cc.2.dylib', 'libtensorflow.2.dylib'], ['libtensorflow_framework.2.dylib']]
      : [['libtensorflow_cc.so.2', 'libtensorflow.so.2'], ['libtensorflow_framework.so.2']];
  const [api, framework] = names.map(candidates =>
    candidates.map(name => join(folder, name)).find(path => existsSync(path)),
  );
  return api === undefined ? [] : framework === undefined ? [api] : [api, framework];
}

/**
 * Writes ADDON and MUTE_STDERR to `folder`, which contains the libraries and include/.
 * @throws SourceError without a compiler; CommandFailedError with the compiler's output
 */
export async function compileAddon(folder: string, context: InstallContext): Promise<void> {
  const compiler = await findCppCompiler(context.signal);
  if (compiler === null) throw missingCompiler();
  const sources = (await readdir(addonSourceFolder)).filter(name => name.endsWith('.cc'));
  const muteSource = join(folder, 'mute_stderr.cc');
  await writeFile(muteSource, MUTE_STDERR_SOURCE);
  const paths = sources.map(name => join(addonSourceFolder, name));
  await link(compiler, folder, ADDON, paths, findLibraries(folder), context);
  await link(compiler, folder, MUTE_STDERR, [muteSource], [], context);
  await rm(muteSource);
}

async function link(
  compiler: string,
  folder: string,
  output: string,
  sources: string[],
  libraries: string[],
  { onProgress, signal }: InstallContext,
): Promise<void> {
  onProgress({ phase: 'compile', done: 0, total: null, message: output });
  const headers = [requirePackage('node-api-headers').include_dir, join(folder, 'include')];
  const args = ['-std=c++17', '-O2', '-w', '-fPIC', '-DNAPI_VERSION=8', '-DBUILDING_NODE_EXTENSION'];
  args.push(...headers.map(path => `-I${path}`), ...sources, '-o', output);
  if (process.platform === 'darwin')
    args.push('-bundle', '-undefined', 'dynamic_lookup', ...libraries, '-Wl,-rpath,@loader_path');
  else args.push('-shared', '-L.', ...libraries.map(path => `-l:${basename(path)}`), '-Wl,-rpath,$ORIGIN');
  await runCommand(compiler, args, { cwd: folder, signal });
}
