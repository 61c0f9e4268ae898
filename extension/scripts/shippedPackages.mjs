// What the packaged extension consists of: its npm packages with versions and licences, checked, as notices and as a bill of materials
// (CycloneDX 1.6). Called by package.mjs and by the tests.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Licences under which a package may be part of what is shipped: none asks more than to be named. */
export const PERMITTED_LICENCES = ['MIT', 'ISC', '0BSD', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'CC-BY-4.0'];

/** Whether all parts of an SPDX expression without OR are permitted. */
export function isPermitted(licence) {
  const parts = String(licence)
    .replace(/[()]/g, '')
    .split(/\s+AND\s+/);
  return parts.every(part => PERMITTED_LICENCES.includes(part));
}

/**
 * @param root of the repository
 * @param sources paths of what was bundled, relative to it
 * @param asFiles packages that are included as files
 * @returns sorted by name; `integrity` is that of the lockfile
 * @throws Error naming packages with another licence, or that npm has not installed
 */
export function shippedPackages(root, sources, asFiles) {
  const folders = new Set(asFiles.map(name => `node_modules/${name}`));
  for (const path of sources) {
    const folder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path.replaceAll('\\', '/'))?.[0];
    if (folder !== undefined) folders.add(folder);
  }
  const { packages: locked } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const packages = [...folders].sort().map(folder => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    const inLock = locked[folder];
    if (inLock?.version !== version) throw new Error(`${folder} is ${version}, but not in package-lock.json`);
    return { folder, name, version, licence: license ?? inLock.license, integrity: inLock.integrity };
  });
  const refused = packages.filter(({ licence }) => !isPermitted(licence));
  if (refused.length > 0)
    throw new Error(`may not be shipped: ${refused.map(({ name, licence }) => `${name} (${licence})`).join(', ')}`);
  return packages;
}

/** Name, version and licence text of each. */
export function noticesOf(root, packages) {
  const notices = packages.map(({ folder, name, version, licence }) => {
    const file = readdirSync(join(root, folder)).find(entry => /^licen[cs]e/i.test(entry));
    const text = file ? readFileSync(join(root, folder, file), 'utf8') : `Licensed under ${licence}.`;
    return `${name} ${version} (${licence})\n\n${text.trim()}\n`;
  });
  return notices.join(`\n${'-'.repeat(80)}\n\n`);
}

/**
 * CycloneDX 1.6. It is the same for the same packages and files.
 * @param manifest package.json of the extension
 * @param model files of the embedded model: name and content
 */
export function billOfMaterials(manifest, packages, model) {
  const { name, version, license } = manifest;
  const purlOf = (each, at) => `pkg:npm/${each.replace('@', '%40')}@${at}`;
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': purlOf(name, version),
        name,
        version,
        licenses: licensesOf(license),
      },
    },
    components: [
      ...packages.map(each => ({
        type: 'library',
        'bom-ref': purlOf(each.name, each.version),
        name: each.name,
        version: each.version,
        purl: purlOf(each.name, each.version),
        licenses: licensesOf(each.licence),
        hashes: [{ alg: 'SHA-512', content: sha512Of(each.integrity) }],
      })),
      ...model.map(({ name: file, content }) => ({
        type: 'machine-learning-model',
        'bom-ref': file,
        name: file,
        licenses: licensesOf(license),
        hashes: [{ alg: 'SHA-256', content: createHash('sha256').update(content).digest('hex') }],
      })),
    ],
  };
}

const licensesOf = licence =>
  / AND /.test(licence) ? [{ expression: licence.replace(/^\((.*)\)$/, '$1') }] : [{ license: { id: licence } }];

/** Of npm's `sha512-<base64>`. */
function sha512Of(integrity) {
  const base64 = /^sha512-(.+)$/.exec(integrity)?.[1];
  if (base64 === undefined) throw new Error(`not a SHA-512: ${integrity}`);
  return Buffer.from(base64, 'base64').toString('hex');
}
