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
