// Where LM Studio keeps its models and has its server, from the files that it writes.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { lmStudioModelsFolder, lmStudioUrl } from '../../../../extension/src/engine/hub/lmStudioStore.js';

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tunewright-lmstudio-'));
  vi.stubEnv('HOME', home);
  vi.stubEnv('USERPROFILE', home);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});

function write(name: string, content: string): void {
  const path = join(home, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

it.each<[string, Record<string, string>, string]>([
  ['the usual folder', {}, '.lmstudio/models'],
  ['the old folder', { '.cache/lm-studio/x': '' }, '.cache/lm-studio/models'],
  ['the noted home', { '.lmstudio-home-pointer': 'HOME/elsewhere\n' }, 'elsewhere/models'],
  ['a chosen folder', { '.lmstudio/settings.json': '{"downloadsFolder": "HOME/big disk"}' }, 'big disk'],
  [
    'a chosen folder of the noted home',
    { '.lmstudio-home-pointer': 'HOME/x', 'x/settings.json': '{"downloadsFolder": "HOME/y"}' },
    'y',
  ],
  ['the usual folder beside damaged settings', { '.lmstudio/settings.json': '{' }, '.lmstudio/models'],
  [
    'the usual folder beside other settings',
    { '.lmstudio/settings.json': '{"downloadsFolder": 1}' },
    '.lmstudio/models',
  ],
])('finds %s', (_, files, folder) => {
  for (const [name, content] of Object.entries(files)) write(name, content.replaceAll('HOME', home));
  expect(lmStudioModelsFolder()).toBe(join(home, folder));
});

it.each([
  [null, 1234],
  ['{"port": 4321}', 4321],
  ['{"port": "4321"}', 1234],
  ['{"port": 70000}', 1234],
  ['not JSON', 1234],
])('with the server’s settings %s its port is %d', (content, port) => {
  if (content !== null) write('.lmstudio/.internal/http-server-config.json', content);
  expect(lmStudioUrl()).toBe(`http://127.0.0.1:${port}`);
});
