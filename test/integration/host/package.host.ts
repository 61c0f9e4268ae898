// The packaged extension: what is in the .vsix and what it weighs, and that its engine trains from there alone, with no
// node_modules in reach.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, inject, test } from 'vitest';
import type { Component } from '../../../extension/scripts/shippedPackages.mjs';
import { unpackWheelFile } from '../../../extension/src/engine/install/wheelArchive.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-vsix-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const vsix = inject('vsix');
const unpacked = join(folder, 'unpacked');
mkdirSync(unpacked);
// A zip file, as a wheel is.
await unpackWheelFile(vsix, unpacked, '', { onProgress: () => {} });
const extension = join(unpacked, 'extension');
const files = readdirSync(extension, { recursive: true, encoding: 'utf8' }).filter(name =>
  statSync(join(extension, name)).isFile(),
);
const size = (name: string) => statSync(join(extension, name)).size;

test('the .vsix weighs less than 5 MB beside the embedded model', () => {
  const model = files.filter(name => name.startsWith('media/models/')).reduce((sum, name) => sum + size(name), 0);
  console.log(`.vsix ${statSync(vsix).size} bytes, embedded model ${model} bytes unpacked`);
  expect(statSync(vsix).size - model).toBeLessThan(5_000_000);
});

test('host, worker and each webview are less than 500 kB (import * as z from "zod", not { z })', () => {
  const bundles = files.filter(name => /^dist\/([^/]+\.cjs|webview\/[^/]+\.js)$/.test(name));
  console.log(Object.fromEntries(bundles.map(name => [name, size(name)])));
  expect(bundles).toContain('dist/extension.cjs');
  expect(bundles.filter(name => size(name) >= 500_000)).toEqual([]);
});

test('the host makes no JSON schemas: its bundle is without that part of zod', () => {
  const has = (name: string) => readFileSync(join(extension, name), 'utf8').includes('draft-7');
  expect(has('dist/tunewright.mjs')).toBe(true);
  expect(has('dist/extension.cjs')).toBe(false);
});

test('of TensorFlow.js the extension host has nothing', () => {
  const has = (name: string) => /registerKernel|@tensorflow\/tfjs/.test(readFileSync(join(extension, name), 'utf8'));
  expect(has('dist/tunewright.mjs')).toBe(true);
  for (const name of ['dist/extension.cjs', 'dist/datasetWorker.cjs']) expect([name, has(name)]).toEqual([name, false]);
});

test('it carries the addon prebuilt for this platform', () => {
  const addons = files.filter(name => name.startsWith(`dist/addons/${process.platform}-${process.arch}/`));
  expect(addons.filter(name => name.endsWith('.node')).length).toBeGreaterThan(0);
});

test('only what runs is packed', () => {
  const folders = new Set(files.map(name => name.split('/').slice(0, 2).join('/')));
  // The program that a Ray cluster runs is a file of its own.
  const own = [...folders].filter(name => /^(extension|webview|test|node_modules)\b/.test(name));
  expect(own).toEqual(['extension/python']);
  expect(files.filter(name => name.startsWith('extension/'))).toEqual(['extension/python/train_on_ray.py']);
  expect(files.filter(name => /\.(map|ts|vsix|log)$/.test(name))).toEqual([]);
});

test('the licences of what is bundled are in it', () => {
  const notices = readFileSync(join(extension, 'dist/ThirdPartyNotices.txt'), 'utf8');
  for (const name of ['@tensorflow/tfjs-core', 'zod', 'uplot', '@vscode/codicons'])
    expect(notices).toContain(`${name} `);
});

test('so is the bill of materials, which names every package of the notices with version, licence and hash', () => {
  const notices = readFileSync(join(extension, 'dist/ThirdPartyNotices.txt'), 'utf8');
  const bill = JSON.parse(readFileSync(join(extension, 'dist/sbom.cdx.json'), 'utf8'));
  expect(bill).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6' });
  const libraries = (bill.components as Component[]).filter(({ type }) => type === 'library');
  expect(libraries.map(({ name }) => name)).toEqual(expect.arrayContaining(['@tensorflow/tfjs-node', 'hono', 'zod']));
  for (const { name, version, purl, licenses, hashes } of libraries) {
    expect(notices).toContain(`${name} ${version} (`);
    expect(purl).toMatch(/^pkg:npm\/.+@\d/);
    expect(licenses).toHaveLength(1);
    expect(hashes[0]!.content).toMatch(/^[0-9a-f]{128}$/);
  }
  const weights = readFileSync(join(extension, 'media/models/tiny/model.safetensors'));
  expect(JSON.stringify(bill)).toContain(createHash('sha256').update(weights).digest('hex'));
});

test('package.json names only files that are packed', () => {
  const manifest = JSON.parse(readFileSync(join(extension, 'package.json'), 'utf8'));
  const named = JSON.stringify({ main: manifest.main, icon: manifest.icon, contributes: manifest.contributes });
  const paths = [...named.matchAll(/"(?:\.\/)?((?:dist|media)\/[^"]+)"/g)].map(([, path]) => path!);
  expect(paths.length).toBeGreaterThan(5);
  expect(paths.filter(path => !files.includes(path))).toEqual([]);
});

test.each(['tensorflow', 'wasm'])('its engine trains on %s with no node_modules in reach', backend => {
  const runFile = join(folder, `${backend}.tune.json`);
  const config = {
    name: backend,
    model: 'embedded:tiny',
    dataset: { train: join(extension, 'media/datasets/pirate.messages.jsonl'), max_length: 32 },
    method: { peft_type: 'LORA', r: 2 },
    training: { max_steps: 2, per_device_train_batch_size: 1 },
    engine: { backend },
  };
  writeFileSync(runFile, JSON.stringify(config));
  const program = join(extension, 'dist/tunewright.mjs');
  const printed = execFileSync(
    process.execPath,
    [program, 'train', runFile, '--out', join(folder, backend), '--json'],
    {
      encoding: 'utf8',
      cwd: folder,
    },
  );
  const events = printed
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));
  expect(events.filter(event => event.type === 'step')).toHaveLength(2);
  expect(events.at(-1)).toMatchObject({ type: 'completed', reason: 'finished' });
});
