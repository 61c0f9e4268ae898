// `npm run package`: builds everything and packages tunewright-<platform>-<version>.vsix with only what is needed at runtime.
// Includes the addon for this platform if the engine is installed here; otherwise it is compiled on the user's machine.
import { createVSIX } from '@vscode/vsce';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawnSync } from 'node:child_process';
import { buildAll, bundledSources, root } from './build.mjs';
import { billOfMaterials, noticesOf, shippedPackages } from './shippedPackages.mjs';

/** Maximum size of the .vsix without the embedded model. */
const MAX_BYTES = 5_000_000;

/** Packages that are included as files. */
const PACKAGES_AS_FILES = ['@vscode/codicons', 'node-api-headers'];

export async function packageExtension({ out } = {}) {
  rmSync(join(root, 'dist/webview'), { recursive: true, force: true });
  // Rebuild everything in this process, so that all bundled sources are known.
  rmSync(join(root, 'dist/node_modules/.built'), { force: true });
  await buildAll();
  describeContents();
  const hasAddon = copyAddon();
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const target = `${process.platform}-${process.arch}`;
  const file = out ?? join(root, `tunewright-${target}-${version}.vsix`);
  await createVSIX({
    cwd: root,
    packagePath: file,
    target: hasAddon ? target : undefined,
    dependencies: false,
    allowMissingRepository: true,
    skipLicense: true,
    // The extension's page can't link to pictures, and has other readers than that of the repository.
    readmePath: 'extension/README.md',
  });
  return file;
}

/** Writes dist/ThirdPartyNotices.txt and dist/sbom.cdx.json. @throws Error for a licence that doesn't permit it */
function describeContents() {
  const packages = shippedPackages(root, bundledSources, PACKAGES_AS_FILES);
  writeFileSync(join(root, 'dist/ThirdPartyNotices.txt'), noticesOf(root, packages));
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const folder = 'media/models/tiny';
  const model = readdirSync(join(root, folder)).map(name => ({
    name: `${folder}/${name}`,
    content: readFileSync(join(root, folder, name)),
  }));
  const bill = billOfMaterials(manifest, packages, model);
  writeFileSync(join(root, 'dist/sbom.cdx.json'), `${JSON.stringify(bill, null, 1)}\n`);
}

/** Copies the addon from this machine's installation of the engine to dist/addons/<platform>. */
function copyAddon() {
  const folder = join(root, 'dist/addons');
  rmSync(folder, { recursive: true, force: true });
  const { stdout } = spawnSync(process.execPath, [join(root, 'dist/tunewright.mjs'), 'engine', 'status', '--json'], {
    encoding: 'utf8',
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
  });
  const { installation } = JSON.parse(stdout || '{"installation":null}');
  if (!installation || installation.source !== 'wheel' || installation.gpu) {
    console.warn('The engine is not installed here from its wheel: the addon will be compiled on the user’s machine.');
    return false;
  }
  const target = join(folder, `${process.platform}-${process.arch}`);
  mkdirSync(target, { recursive: true });
  for (const addon of [installation.addon, installation.muteStderr].filter(Boolean)) {
    const from = join(installation.folder, addon);
    copyFileSync(from, join(target, addon.slice(dirname(addon).length + 1)));
  }
  return true;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = await packageExtension();
  const bytes = statSync(file).size;
  const model = join(root, 'media/models/tiny');
  const weights = existsSync(model)
    ? readdirSync(model).reduce((sum, name) => sum + statSync(join(model, name)).size, 0)
    : 0;
  const megabytes = value => `${(value / 1e6).toFixed(1)} MB`;
  console.log(`${file}: ${megabytes(bytes)}, of which the embedded model takes at most ${megabytes(weights)}`);
  if (bytes - weights > MAX_BYTES) {
    console.error(`That is more than ${megabytes(MAX_BYTES)} without the model.`);
    process.exitCode = 1;
  }
}
