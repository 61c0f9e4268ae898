// The conversation of `tunewright chat`: turns, each command, what is kept after a failure or a cancelled answer.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { Chat, type Reply } from '../../../../extension/src/engine/cli/chat.js';
import { InputError } from '../../../../extension/src/core/inputError.js';
import { scriptedSession, type ScriptedSession } from '../../../support/scriptedSession.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-chat-'));
afterAll(() => rmSync(folder, { recursive: true }));

let session: ScriptedSession;
let chat: Chat;
beforeEach(() => {
  session = scriptedSession(['pirate', 'haiku']);
  chat = new Chat(session, 'Be brief.');
});

const enter = (line: string): Promise<Reply | null> => chat.enter(line, {});
const noteOf = async (line: string) => {
  const reply = await enter(line);
  return reply?.kind === 'note' ? reply.text : expect.fail(`${line}: no note`);
};
const sent = () => session.requests.at(-1)!;
const system = { role: 'system', content: 'Be brief.' };
const hello = { role: 'assistant', content: 'Hello world' };

it('sends the whole conversation with each turn; the first adapter answers', async () => {
  const pieces: string[] = [];
  const reply = await chat.enter(' Hi ', { onPiece: ({ text }) => void pieces.push(text) });
  expect(reply).toMatchObject({ kind: 'answer', model: 'pirate', answer: { text: 'Hello world' } });
  expect(pieces.join('')).toBe('Hello world');
  expect(sent()).toMatchObject({ messages: [system, { role: 'user', content: 'Hi' }], adapters: [{ name: 'pirate' }] });
  await enter('And?');
  expect(sent().messages).toEqual([system, { role: 'user', content: 'Hi' }, hello, { role: 'user', content: 'And?' }]);
  expect(await enter('   ')).toBeNull();
});

it('/adapter chooses the base, an adapter or a mixture, and names the known ones', async () => {
  expect(await noteOf('/adapter base')).toBe('org/tiny, base answers.');
  expect(await noteOf('/adapter pirate:0.5+haiku')).toBe('org/tiny, pirate:0.5+haiku answers.');
  expect(await noteOf('/adapter')).toBe('org/tiny, pirate:0.5+haiku answers. Loaded: org/tiny, base, pirate, haiku.');
  await enter('Hi');
  expect(sent().adapters).toEqual([
    { name: 'pirate', weight: 0.5 },
    { name: 'haiku', weight: 1 },
  ]);
  await expect(enter('/adapter none')).rejects.toMatchObject({ hint: 'Loaded: org/tiny, base, pirate, haiku.' });
  await expect(enter('/adapter pirate:3')).rejects.toThrow('from 0 to 2');
});

it('/set changes an option, a text to stop at, or a variable of the template; a wrong value changes nothing', async () => {
  expect(await noteOf('/set temperature 0.7')).toBe('temperature 0.7');
  expect(await noteOf('/set stop ###')).toBe('stop ["###"]');
  expect(await noteOf('/set enable_thinking false')).toBe('enable_thinking false');
  await expect(enter('/set top_p 5')).rejects.toThrow('must be a number');
  await expect(enter('/set temprature 1')).rejects.toThrow('did you mean "temperature"?');
  await enter('Hi');
  expect(sent()).toMatchObject({
    sampling: { temperature: 0.7, top_p: 1, stop: ['###'] },
    template_variables: { enable_thinking: false },
  });
  expect((await noteOf('/set')).split('\n')).toContain('temperature 0.7');
});

it('/retry answers the last turn again with the next seed', async () => {
  await expect(enter('/retry')).rejects.toThrow('no turn');
  await enter('Hi');
  const { seed } = sent().sampling!;
  await enter('/retry');
  expect(sent()).toMatchObject({ messages: [system, { role: 'user', content: 'Hi' }], sampling: { seed: seed! + 1 } });
});

it('/system and /clear', async () => {
  await enter('Hi');
  await enter('/system Rhyme.');
  await enter('/clear');
  await enter('Yo');
  expect(sent().messages).toEqual([
    { role: 'system', content: 'Rhyme.' },
    { role: 'user', content: 'Yo' },
  ]);
  await enter('/system');
  await enter('/clear');
  await enter('Yo');
  expect(sent().messages).toEqual([{ role: 'user', content: 'Yo' }]);
});

it('/save appends a row that can be trained on', async () => {
  const file = join(folder, 'a.jsonl');
  await expect(enter(`/save ${file}`)).rejects.toThrow('empty');
  await enter('Hi');
  await enter(`/save ${file}`);
  await enter(`/save ${file}`);
  const row = JSON.stringify({ messages: [system, { role: 'user', content: 'Hi' }, hello] });
  expect(readFileSync(file, 'utf8')).toBe(`${row}\n${row}\n`);
  await expect(enter('/save a.txt')).rejects.toThrow('.jsonl');
});

it('/save writes the format of the file, behind its last row, and keeps the conversation if the file is wrong', async () => {
  await enter('/system');
  await enter('Hi');
  const alpaca = join(folder, 'alpaca.jsonl');
  writeFileSync(alpaca, '{"instruction":"a","output":"b"}');
  await enter(`/save ${alpaca}`);
  await enter(`/save ${alpaca}`);
  const row = '{"instruction":"Hi","output":"Hello world"}\n';
  expect(readFileSync(alpaca, 'utf8')).toBe(`{"instruction":"a","output":"b"}\n${row}${row}`);
  const texts = join(folder, 'texts.jsonl');
  writeFileSync(texts, '{"text":"a"}\n');
  await expect(enter(`/save ${texts}`)).rejects.toThrow(/format text can't hold a conversation/);
  expect(readFileSync(texts, 'utf8')).toBe('{"text":"a"}\n');
  await expect(enter(`/save ${join(folder, 'none', 'a.jsonl')}`)).rejects.toThrow("can't be written (ENOENT)");
  mkdirSync(join(folder, 'folder.jsonl'));
  await expect(enter(`/save ${join(folder, 'folder.jsonl')}`)).rejects.toThrow('not a file but a folder');
  await enter('And?');
  expect(sent().messages).toHaveLength(3);
});

it('/help lists every command, an unknown one suggests the nearest, /quit ends', async () => {
  const help = await noteOf('/help');
  for (const command of ['/adapter', '/system', '/set', '/retry', '/clear', '/save', '/quit'])
    expect(help).toContain(command);
  await expect(enter('/quite')).rejects.toThrow('did you mean "/quit"?');
  expect(chat.ended).toBe(false);
  expect(await enter('/quit')).toBeNull();
  expect(chat.ended).toBe(true);
});

it('a turn that fails leaves the conversation as it was', async () => {
  await enter('Hi');
  session.failWith(new InputError('too long'), 'before');
  await expect(enter('And?')).rejects.toThrow('too long');
  await enter('So?');
  expect(sent().messages).toEqual([system, { role: 'user', content: 'Hi' }, hello, { role: 'user', content: 'So?' }]);
});

it('what a stopped answer has said is kept', async () => {
  session.hold();
  const stop = new AbortController();
  const asked = chat.enter('Hi', { signal: stop.signal, onPiece: () => stop.abort() });
  await expect(asked).rejects.toMatchObject({ name: 'CancelledError' });
  session.release();
  await enter('And?');
  expect(sent().messages![2]).toEqual({ role: 'assistant', content: 'Hello' });
});

it('reasoning and calls of tools are kept with the answer', async () => {
  const call = { id: 'c', name: 'f', arguments: '{}' };
  session.answers({ text: 'Yes', reasoning: 'Well', tool_calls: [call] });
  await enter('Hi');
  await enter('And?');
  expect(sent().messages![2]).toEqual({
    role: 'assistant',
    content: 'Yes',
    reasoning_content: 'Well',
    tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }],
  });
});
