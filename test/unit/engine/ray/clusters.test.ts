import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { InputError } from '../../../../extension/src/core/inputError.js';
import {
  clustersFile,
  hasAgreed,
  namedClusters,
  placeOf,
  rememberAgreement,
} from '../../../../extension/src/engine/ray/clusters.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-clusters-'));
beforeEach(() => vi.stubEnv('TUNEWRIGHT_CONFIG', folder));
afterEach(() => vi.unstubAllEnvs());
afterAll(() => rmSync(folder, { recursive: true }));
const LAB = { name: 'lab', address: 'http://head:8265', num_workers: 4, use_gpu: true, price_per_hour: 8 };

describe('placeOf', () => {
  it('this machine, an address, and a name', () => {
    expect(placeOf(undefined)).toBeUndefined();
    expect(placeOf('here')).toMatchObject({ backend: 'auto' });
    expect(placeOf('http://127.0.0.1:8265')).toEqual({ backend: 'ray', address: 'http://127.0.0.1:8265' });
    writeFileSync(clustersFile(), JSON.stringify([LAB]));
    const place = placeOf('lab');
    expect(place).toMatchObject({ backend: 'ray', address: 'http://head:8265', num_workers: 4, use_gpu: true });
    // Only keys of the engine block.
    expect(place).not.toHaveProperty('name');
    expect(place).not.toHaveProperty('price_per_hour');
  });

  it('a name that no cluster has is refused with those there are', async () => {
    writeFileSync(clustersFile(), JSON.stringify([LAB]));
    expect((await inputErrorOf(() => placeOf('lob'))).record()).toMatchObject({
      key: '--on',
      hint: 'Known: lab, here.',
    });
  });

  it('an address with a login is refused, without saying it', () => {
    const refused = () => placeOf('http://me:secret@head:8265');
    expect(refused).toThrow(InputError);
    expect(refused).not.toThrow(/secret/);
  });
});

describe('namedClusters', () => {
  it('come from the environment before the file', () => {
    writeFileSync(clustersFile(), JSON.stringify([LAB]));
    vi.stubEnv('TUNEWRIGHT_CLUSTERS', JSON.stringify([{ ...LAB, name: 'other' }]));
    expect(namedClusters().map(({ name }) => name)).toEqual(['other']);
  });

  it.each([
    '{',
    '{}',
    '[{"name": "a b", "address": "http://a"}]',
    '[{"name": "here", "address": "http://a"}]',
    '[{"name": "a"}]',
  ])('refuses %s', text => {
    vi.stubEnv('TUNEWRIGHT_CLUSTERS', text);
    expect(() => namedClusters()).toThrow(InputError);
  });
});

it('consent is remembered by address', () => {
  expect(hasAgreed('http://a:1')).toBe(false);
  rememberAgreement('http://a:1');
  rememberAgreement('http://b:1');
  expect(hasAgreed('http://a:1')).toBe(true);
  expect(hasAgreed('http://b:1')).toBe(true);
  expect(hasAgreed('http://c:1')).toBe(false);
});

it.each([
  ['127.0.0.1:8265', 'http://head:8265'],
  ['ray://head:10001', 'http://head:8265'],
])('an address without http, %s, gets told how it is written', async (on, form) => {
  const { hint } = (await inputErrorOf(() => placeOf(on))).record();
  expect(hint).toBe(`Write the address of a dashboard as ${form}.`);
});

it('a port that no address can have is refused with the address', async () => {
  expect((await inputErrorOf(() => placeOf('http://127.0.0.1:99999'))).record()).toMatchObject({ key: '--on' });
});

it.each([
  ['{}', undefined, 'must be a list of objects, not {}'],
  [
    '[{"name": "a", "address": "head:8265"}]',
    '0.address',
    'must be the address of a dashboard, such as http://head:8265',
  ],
  ['[{"name": "a", "address": "http://me:secret@head"}]', '0.address', 'without a login in it'],
  ['[{"name": "a", "address": "http://head:99999"}]', '0.address', 'check its host and port'],
  ['[{"name": "here", "address": "http://head"}]', '0.name', 'must be a name without spaces that is not "here"'],
  [
    '[{"name": "a", "address": "http://a"}, {"name": "a", "address": "http://b"}]',
    '1.name',
    'another cluster is named "a"',
  ],
])('says what is wrong with %s', async (text, key, message) => {
  writeFileSync(clustersFile(), text);
  const { key: said, message: words } = (await inputErrorOf(() => namedClusters())).record();
  expect(said ?? undefined).toBe(key);
  expect(words).toContain(message);
  expect(words).not.toContain('secret');
});
