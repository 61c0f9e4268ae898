// Tokenizer folders as people have them give the ids, special tokens and chats of Transformers
// (test/fixtures/tokenizers/folders.py).
import { readFileSync } from 'node:fs';
import { expect, describe, it } from 'vitest';
import type { ChatMessage } from '../../../../extension/src/core/data/example.js';
import { InputError } from '../../../../extension/src/core/inputError.js';
import { renderChat } from '../../../../extension/src/core/text/chatTemplate.js';
import { createTokenizer } from '../../../../extension/src/core/text/huggingFaceTokenizer.js';
import type { TextTokenizer } from '../../../../extension/src/core/text/textTokenizer.js';
import { readTokenizerFolder, tokenizerPaths } from '../../../../extension/src/core/text/tokenizerFolder.js';
import { inputErrorOf } from '../../../support/inputErrors.js';
import { fixtureFiles } from './tokenizerFixtures.js';

type Folder = Record<string, unknown>;

interface Recorded {
  files: Folder;
  special: Record<string, [token: string, id: number]>;
  vocab_size: number;
  ids: number[][];
  skipped: string[];
  chat: string | null;
  chat_with_tools: string | null;
}

const recorded = JSON.parse(readFileSync('test/fixtures/tokenizers/folders.json', 'utf8')) as {
  texts: string[];
  messages: ChatMessage[];
  tools: unknown[];
  folders: Record<string, Recorded>;
};

const reader = (folder: Folder) => ({
  json: (name: string) => structuredClone((folder[name] ?? null) as Record<string, unknown> | null),
  text: (name: string) => (folder[name] ?? null) as string | null,
  names: (within: string) =>
    Object.keys(folder).flatMap(path => (path.startsWith(`${within}/`) ? path.slice(within.length + 1) : [])),
});

function tokenizerOf(files: Folder): TextTokenizer {
  return createTokenizer(
    readTokenizerFolder(reader({ 'tokenizer.json': fixtureFiles('smollm').tokenizer, ...files }))!,
  );
}

/** Transformers' tokenizers don't read this file; here it is read where there is no other template. */
const WITH_OWN_TEMPLATE = 'chat_template.json';
const UNSUPPORTED = 'split_special_tokens';
const folders = Object.entries(recorded.folders).filter(([name]) => name !== UNSUPPORTED);

describe.each(folders)('%s', (name, { files, special, ids, skipped, chat, ...expected }) => {
  const tokenizer = tokenizerOf(files);

  it('has the special tokens', () => {
    const own = Object.entries(tokenizer.specialTokens).map(([key, token]) => [
      key,
      [token, tokenizer.tokenToId(token)],
    ]);
    expect(Object.fromEntries(own)).toEqual(special);
    expect([tokenizer.bosTokenId, tokenizer.eosTokenId, tokenizer.padTokenId]).toEqual(
      ['bos_token', 'eos_token', 'pad_token'].map(key => special[key]?.[1] ?? null),
    );
    expect(tokenizer.vocabSize).toBe(expected.vocab_size);
  });

  it('has the ids', () => {
    expect(recorded.texts.map(text => tokenizer.encode(text))).toEqual(ids);
    expect(ids.map(row => tokenizer.decode(row, { skipSpecialTokens: true }))).toEqual(skipped);
  });

  it('has the template', () => {
    if (name === WITH_OWN_TEMPLATE) return expect(renderChat(tokenizer, recorded.messages)).toMatch(/^JSON /);
    const render = (tools?: unknown[]) => renderChat(tokenizer, recorded.messages, { tools });
    if (chat === null) expect(() => render()).toThrow(InputError);
    else expect(render()).toBe(chat);
    if (expected.chat_with_tools === null) expect(() => render(recorded.tools)).toThrow(InputError);
    else expect(render(recorded.tools)).toBe(expected.chat_with_tools);
  });
});

it('split_special_tokens, by which special tokens in a text are none, is refused', async () => {
  const error = await inputErrorOf(() => tokenizerOf(recorded.folders[UNSUPPORTED]!.files));
  expect(error.message).toMatch(/"split_special_tokens" is not supported/);
});

it('an id in added_tokens.json that is no number is named', async () => {
  const error = await inputErrorOf(() => tokenizerOf({ 'added_tokens.json': { '<new>': { toString: 1 } } }));
  expect(error.describe()).toMatch(/added_tokens\.json: the id of "<new>" is \{"toString":1\}, not a whole number/);
});

it('a folder without tokenizer.json has no tokenizer', () => {
  expect(readTokenizerFolder(reader({ 'tokenizer_config.json': {} }))).toBeNull();
});

it('all files of a tokenizer are known by their paths', () => {
  const paths = tokenizerPaths(reader({ 'additional_chat_templates/rag.jinja': 'x' }));
  for (const { files } of Object.values(recorded.folders))
    for (const file of Object.keys(files)) if (!file.includes('/')) expect(paths).toContain(file);
  expect(paths).toContain('additional_chat_templates/rag.jinja');
});
