import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { asked, newConversation } from '../../../../extension/src/core/playground/conversation.js';
import { FolderConversations } from '../../../../extension/src/host/webviews/conversationStore.js';

let folder: string;
const files = {
  makeFolder: (path: string) => void mkdirSync(path, { recursive: true }),
  writeText: (path: string, text: string) => writeFileSync(path, text),
  removeFile: (path: string) => rmSync(path, { force: true }),
};
const open = () => new FolderConversations(join(folder, 'conversations'), files);
const conversation = (id: string, updated_ms: number) => ({
  ...asked(
    newConversation({ id, model: 'm', columns: [{ name: 'base', model: null, parts: [], run: null }] }),
    `Question ${id}`,
    42,
  ),
  updated_ms,
});

beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'conversations-'))));
afterEach(() => rmSync(folder, { recursive: true }));

it('lists conversations of earlier windows, latest first, and reads, replaces and deletes them', async () => {
  const store = open();
  expect(await store.list()).toEqual([]);
  await store.write(conversation('a', 1));
  await store.write(conversation('b', 2));
  const later = open();
  expect(await later.list()).toEqual([
    { id: 'b', title: 'Question b', updated_ms: 2, turns: 1 },
    { id: 'a', title: 'Question a', updated_ms: 1, turns: 1 },
  ]);
  expect(await later.read('a')).toEqual(conversation('a', 1));
  await later.write({ ...conversation('a', 3), title: 'Renamed' });
  expect((await later.list()).map(({ title }) => title)).toEqual(['Renamed', 'Question b']);
  await later.delete('b');
  expect((await open().list()).map(({ id }) => id)).toEqual(['a']);
});

it('skips damaged files, and opens no path', async () => {
  await open().write(conversation('a', 1));
  writeFileSync(join(folder, 'conversations', 'b.json'), '{"id": "b"');
  writeFileSync(join(folder, 'secret.json'), JSON.stringify(conversation('secret', 1)));
  expect((await open().list()).map(({ id }) => id)).toEqual(['a']);
  await expect(open().read('b')).rejects.toThrow('missing or damaged');
  await expect(open().read('../secret')).rejects.toThrow('missing or damaged');
  await expect(open().delete('../secret')).rejects.toThrow('is not the ID');
});
