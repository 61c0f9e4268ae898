// Reads the stored tokenizers and Python's results for them (test/fixtures/tokenizers/make.py).
import { readFileSync } from 'node:fs';
import { createTokenizer } from '../../../../extension/src/core/text/huggingFaceTokenizer.js';
import type { TextTokenizer, TokenizerFiles } from '../../../../extension/src/core/text/textTokenizer.js';
import type { ChatMessage } from '../../../../extension/src/core/data/example.js';

export interface Expected {
  vocab_size: number;
  strings: {
    text: string;
    ids: number[];
    ids_special: number[];
    decoded: string;
    decoded_half: string;
    decoded_skip: string;
  }[];
  chats: {
    messages: ChatMessage[];
    tools?: unknown[];
    add_generation_prompt: boolean;
    text: string;
    ids: number[];
  }[];
}

export const fixtureNames = ['gpt2', 'smollm', 'qwen', 'llama3', 'llama2-legacy', 'mistral-first', 'metaspace-split'];

const read = (name: string, file: string) =>
  JSON.parse(readFileSync(new URL(`../../../fixtures/tokenizers/${name}/${file}`, import.meta.url), 'utf8'));

export function fixtureFiles(name: string): TokenizerFiles {
  return { tokenizer: read(name, 'tokenizer.json'), config: read(name, 'tokenizer_config.json') };
}

export function fixtureTokenizer(name: string): TextTokenizer {
  return createTokenizer(fixtureFiles(name));
}

export function fixtureExpected(name: string): Expected {
  return read(name, 'expected.json');
}
