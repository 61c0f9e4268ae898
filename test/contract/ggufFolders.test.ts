// Every model of test/fixtures/configs (a config.json with one key or tensor changed) as GGUF: read again, it has the losses that
// Transformers computes for the folder, or the conversion says what GGUF can't express.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InputError } from '../../extension/src/core/inputError.js';
import { openBackend } from '../../extension/src/engine/backend/openBackend.js';
import { openGguf } from '../../extension/src/engine/files/ggufModel.js';
import { openHuggingFaceFolder } from '../../extension/src/engine/files/huggingfaceFolder.js';
import { architectureOfFiles } from '../../extension/src/engine/models/loadModel.js';
import { modelFamilies } from '../../extension/src/engine/models/registry.js';
import { mergeIntoGguf } from '../../extension/src/engine/export/mergeModel.js';
import { silentReporter } from '../../extension/src/engine/run/reporter.js';
import { changesOf, configVariants, variantLosses, writeVariant } from '../support/configVariants.js';

const path = mkdtempSync(join(tmpdir(), 'tunewright-gguf-folders-'));
afterAll(() => rmSync(path, { recursive: true }));
beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
});

const TOKENIZER = {
  version: '1.0',
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  post_processor: null,
  decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  model: {
    type: 'BPE',
    ...{ dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null },
    ...{ fuse_unk: false, byte_fallback: false, ignore_merges: false },
    vocab: Object.fromEntries([...'abcdefghijklmnopqrstuvwxyzĠ'].map((token, id) => [token, id])),
    merges: [],
  },
};

/** What GGUF has no key for, or llama.cpp no code. */
const REFUSALS = [
  /attends to \d+ tokens \(sliding window\)/,
  /^llama\.cpp (has no biases for qwen3|computes YaRN with a beta_fast of 32)/,
  /are not the hidden size \d+, which llama\.cpp needs for qwen2/,
  /rotary scaling (dynamic|longrope) can't be written/,
  /the format can't express all of this model \(layers\.\d+\.(mlp\.activation|attention\.scale):/,
  // Too few frequencies between the two limits of Llama 3's rule to read it again.
  /these frequency factors don’t follow Llama 3’s rule/,
];

describe.each(modelFamilies.map(family => family.modelType))('%s', modelType => {
  const variants = configVariants.filter(({ config }) => config.model_type === modelType);
  const refused: string[] = [];

  test.each(variants.map(variant => [changesOf(variant), variant] as const))('%s', async (changes, variant) => {
    const folder = writeVariant(join(path, 'variant'), variant);
    writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(TOKENIZER));
    const files = openHuggingFaceFolder(folder, changes);
    const out = join(path, 'variant.gguf');
    rmSync(out, { force: true });
    const options = { type: 'own' as const, touched: null, compare: false, generalTexts: null, run: null };
    const running = { reporter: silentReporter, signal: new AbortController().signal };
    try {
      await mergeIntoGguf(out, files, [], { ...options, ...running });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      expect(
        REFUSALS.some(reason => reason.test(error.message)),
        error.describe(),
      ).toBe(true);
      expect(existsSync(out)).toBe(false);
      refused.push(changes);
      return;
    } finally {
      files.close();
    }
    const written = openGguf(out, changes);
    const losses = variantLosses(written);
    expect(architectureOfFiles(written).maxPositions).toBe(architectureOfFiles(files).maxPositions);
    written.close();
    losses.forEach((loss, i) => {
      const off = Math.abs(loss - variant.losses[i]!) / (1 + variant.losses[i]!);
      expect(off, `token ${i + 1}: ${loss} instead of ${variant.losses[i]}`).toBeLessThan(2e-5);
    });
  });

  test('most are written', () => {
    console.log(`${modelType}: ${refused.length} of ${variants.length} refused\n${refused.join('\n')}`);
    expect(refused.length).toBeLessThan(variants.length / 2);
  });
});
