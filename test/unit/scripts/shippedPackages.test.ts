// What the packages that are shipped, and those that are installed with the program, may be.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { billOfMaterials, isPermitted, shippedPackages } from '../../../extension/scripts/shippedPackages.mjs';

const ROOT = new URL('../../../', import.meta.url).pathname;

interface Locked {
  version: string;
  name?: string;
  license?: string;
  integrity?: string;
  dev?: boolean;
  deprecated?: string;
}
const lock: Record<string, Locked> = JSON.parse(readFileSync(`${ROOT}package-lock.json`, 'utf8')).packages;
const production = Object.entries(lock)
  .filter(([path, { dev }]) => path !== '' && !dev)
  .map(([path, entry]) => ({ ...entry, name: entry.name ?? path.split('node_modules/').at(-1)! }));

describe('packages that are installed with the program', () => {
  test.each(production.map(({ name, version, license }) => [`${name} ${version}`, license]))(
    '%s has a licence under which it may be shipped',
    (_name, license) => expect(isPermitted(license), license).toBe(true),
  );

  test('are complete: each has a hash, and none is deprecated', () => {
    expect(production.length).toBeGreaterThan(50);
    expect(production.filter(({ integrity }) => !integrity?.startsWith('sha512-'))).toEqual([]);
    expect(production.filter(({ deprecated }) => deprecated !== undefined)).toEqual([]);
  });

  test('run no scripts when they are installed', () => {
    expect(readFileSync(`${ROOT}.npmrc`, 'utf8')).toContain('ignore-scripts=true');
  });

  test('what only tfjs-node’s install scripts and entry module use is not among them', () => {
    const names = production.map(({ name }) => name);
    const out = [
      '@mapbox/node-pre-gyp',
      'adm-zip',
      'glob',
      'https-proxy-agent',
      'inflight',
      'node-fetch',
      'rimraf',
      'tar',
    ];
    expect(names.filter(name => out.includes(name))).toEqual([]);
    expect(names).toContain('@tensorflow/tfjs-node');
  });
});

test.each([
  ['MIT', true],
  ['(BSD-3-Clause AND Apache-2.0)', true],
  ['GPL-3.0-only', false],
  ['MIT AND GPL-2.0', false],
  ['(MIT OR GPL-2.0)', false],
  ['SEE LICENSE IN LICENSE.txt', false],
  [undefined, false],
])('licence %s', (licence, expected) => expect(isPermitted(licence)).toBe(expected));

test('the packages of bundled sources, each once, and its bill of materials', () => {
  const sources = [
    'extension/src/a.ts',
    'node_modules/zod/v4/a.js',
    'node_modules/zod/v4/b.js',
    'node_modules/@hono/node-server/c.js',
  ];
  const packages = shippedPackages(ROOT, sources, ['node-api-headers']);
  expect(packages.map(({ name }) => name)).toEqual(['@hono/node-server', 'node-api-headers', 'zod']);
  const bill = billOfMaterials({ name: 'tunewright', version: '1.0.0', license: 'Apache-2.0' }, packages, [
    { name: 'model.safetensors', content: Buffer.from('weights') },
  ]);
  const { version, integrity } = lock['node_modules/@hono/node-server']!;
  expect(bill.components[0]).toMatchObject({
    name: '@hono/node-server',
    purl: `pkg:npm/%40hono/node-server@${version}`,
    licenses: [{ license: { id: 'MIT' } }],
    hashes: [{ alg: 'SHA-512', content: Buffer.from(integrity!.slice('sha512-'.length), 'base64').toString('hex') }],
  });
  expect(bill.components.at(-1)).toMatchObject({ type: 'machine-learning-model', name: 'model.safetensors' });
});
