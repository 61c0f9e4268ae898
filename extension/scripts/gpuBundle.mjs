// `npm run gpu:bundle [-- --out FILE]`: packs what `engine bench` needs into one archive for a Linux machine that has a GPU's driver and
// nothing else: engine, Node, Dawn, Vulkan's loader, the embedded model. There: tar -xf FILE && tunewright-gpu/bench
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildEngine, root } from './build.mjs';

/** Of the archive, so that it travels easily. */
const MAX_BYTES = 60 * 2 ** 20;

/** Where Linux distributions keep Vulkan's loader. */
const LOADERS = ['x86_64-linux-gnu', 'aarch64-linux-gnu', '.']
  .flatMap(name => [join('/usr/lib', name), join('/usr/lib64', name)])
  .map(folder => join(folder, 'libvulkan.so.1'));

/** The machine's own loader knows its drivers best; the packed one is for a machine without one. */
const PROGRAM = `#!/bin/sh
# Checks that the GPU computes correctly, measures it, and writes bench.md and bench.json beside this file.
here=$(cd "$(dirname "$0")" && pwd)
export TUNEWRIGHT_CACHE="$here/cache"
if ! ldconfig -p 2>/dev/null | grep -q libvulkan.so.1; then
  export LD_LIBRARY_PATH="$here/lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi
"$here/node" "$here/dist/tunewright.mjs" engine bench --backend webgpu --out "$here/bench.json" "$@" | tee "$here/bench.md"
`;

export async function gpuBundle(out) {
  await buildEngine();
  // A checkout has npm's package for all platforms.
  const package_ = join(root, 'node_modules/webgpu');
  const { version } = JSON.parse(readFileSync(join(package_, 'package.json'), 'utf8'));
  const platform = `${process.platform}-${process.arch}`;
  const folder = mkdtempSync(join(tmpdir(), 'tunewright-gpu-'));
  const bundle = join(folder, 'tunewright-gpu');
  const put = (from, to) => {
    mkdirSync(dirname(join(bundle, to)), { recursive: true });
    cpSync(from, join(bundle, to), { recursive: true, dereference: true });
  };
  try {
    put(join(root, 'dist/tunewright.mjs'), 'dist/tunewright.mjs');
    put(join(root, 'dist/node_modules'), 'dist/node_modules');
    put(join(root, 'package.json'), 'package.json');
    put(join(root, 'media/models/tiny'), 'media/models/tiny');
    put(join(package_, 'dist', platform), `cache/engine/webgpu-${version}-${platform}`);
    const loader = LOADERS.find(path => existsSync(path));
    if (loader) put(realpathSync(loader), 'lib/libvulkan.so.1');
    copyFileSync(process.execPath, join(bundle, 'node'));
    // Symbols for debuggers are a tenth of it.
    spawnSync('strip', [join(bundle, 'node')]);
    writeFileSync(join(bundle, 'bench'), PROGRAM);
    chmodSync(join(bundle, 'bench'), 0o755);
    const packed = spawnSync('tar', ['-C', folder, '-cJf', out, 'tunewright-gpu'], {
      stdio: 'inherit',
      env: { ...process.env, XZ_OPT: '-6 -T0' },
    });
    if (packed.status !== 0) throw new Error('tar could not write the archive; is xz installed?');
  } finally {
    rmSync(folder, { recursive: true });
  }
  const { size } = statSync(out);
  if (size > MAX_BYTES) throw new Error(`the archive has ${size} bytes, more than ${MAX_BYTES}`);
  return size;
}

const { values } = parseArgs({ options: { out: { type: 'string' } } });
if (process.platform !== 'linux') {
  console.error('The bundle is for Linux, and has this machine’s Node: make it on Linux.');
  process.exit(2);
}
const out = resolve(values.out ?? `tunewright-gpu-linux-${process.arch}.tar.xz`);
const size = await gpuBundle(out);
console.log(
  `${out} (${(size / 2 ** 20).toFixed(1)} MiB)\nOn a machine with a GPU: tar -xf it, then run tunewright-gpu/bench`,
);
