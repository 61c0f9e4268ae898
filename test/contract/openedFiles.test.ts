// No file that a workspace, a model or a run names is opened but by system/regularFile.ts, and no folder made but by
// system/makeFolder.ts. Loops over the engine's sources; what opens files by itself is listed with the reason. The host has no such
// exceptions (restrictedMode.test.ts).
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const OPENING =
  /^(appendFile|copyFile|createReadStream|createWriteStream|mkdir|open|openAsBlob|readFile|writeFile|cp)(Sync)?$/;

/** File or folder -> what it opens. */
const EXCEPTIONS: Record<string, string> = {
  'engine/machine/processMemory.ts': 'files of /proc',
  'engine/machine/machine.ts': 'files of /proc',
  'engine/machine/hangup.ts': 'files of /proc',
  'engine/install/': 'pip’s and netrc’s settings, which may be /dev/null, and our own cache folder',
  'engine/hub/downloadBlob.ts': 'blobs in the cache, under the name of their hash',
  'engine/hub/pullModel.ts': 'refs in the cache',
  'engine/files/atomicFile.ts': 'new files, which must not exist',
  'engine/training/hiddenStateStore.ts': 'a new file, which must not exist',
  'rows/textFile.ts': 'a new file in a temporary folder',
  'engine/data/tokenStore.ts': 'a new file in a temporary folder',
  'engine/capture/compiledFunction.ts': 'a new file in a temporary folder',
};

const root = new URL('../../extension/src', import.meta.url).pathname;
const sources = ['engine', 'rows', 'core', 'protocol'].flatMap(folder =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => `${folder}/${name.replaceAll('\\', '/')}`),
);
const openedBy = (name: string) =>
  [...readFileSync(join(root, name), 'utf8').matchAll(/import \{([^}]*)\} from 'node:fs(?:\/promises)?'/g)]
    .flatMap(([, names]) => names!.split(','))
    .map(each => each.trim())
    .filter(each => OPENING.test(each));
const exceptionOf = (name: string) =>
  Object.keys(EXCEPTIONS).find(each => name === each || (each.endsWith('/') && name.startsWith(each)));

it.each(sources.filter(name => exceptionOf(name) === undefined))('%s opens no file by itself', name => {
  expect(openedBy(name)).toEqual([]);
});

it.each(Object.keys(EXCEPTIONS))('%s is still an exception', each => {
  expect(sources.filter(name => exceptionOf(name) === each).flatMap(openedBy)).not.toEqual([]);
});

it.each(sources)('%s makes no folders by Node’s recursive mkdir, which doesn’t end below /proc', name => {
  expect(readFileSync(join(root, name), 'utf8')).not.toMatch(/mkdir(Sync)?\([^;]*recursive/);
});
