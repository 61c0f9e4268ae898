// What a certificate says of how a written model reads texts. That it finds each difference: certificateFaults.test.ts.
import { expect, test } from 'vitest';
import type { ModelFiles } from '../../../../extension/src/engine/files/tensorSource.js';
import { compareTexts, type Language } from '../../../../extension/src/engine/export/compareTexts.js';
import { fixtureFiles, fixtureTokenizer } from '../../core/text/tokenizerFixtures.js';

function language(name: string, format: ModelFiles['format']): Language {
  const tokenizer = fixtureTokenizer(name);
  const config = { eos_token_id: tokenizer.eosTokenId };
  return {
    tokenizer,
    files: { format, config, generationConfig: null, tokenizer: fixtureFiles(name) } as unknown as ModelFiles,
  };
}

const reasonFor = (name: string, format: ModelFiles['format']) =>
  compareTexts(language(name, 'huggingface'), language(name, format), []).find(({ what }) => what === 'token ids')!.why;

test('what llama.cpp reads otherwise, since it composes no characters, is said of a GGUF file of Qwen', () => {
  expect(reasonFor('qwen', 'gguf')).toMatch(/^llama\.cpp doesn’t compose characters/);
  expect([reasonFor('qwen', 'huggingface'), reasonFor('smollm', 'gguf')]).toEqual(['', '']);
});
