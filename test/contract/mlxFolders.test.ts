// Every model of test/fixtures/configs (a config.json with one key or tensor changed) as a folder for mlx-lm: read again, it has the
// losses that Transformers computes, or the export says what mlx-lm would compute differently. test/parity/mlx_loads_merged.py has
// mlx-lm itself read what this writes (MLX_OUT).
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InputError } from '../../extension/src/core/inputError.js';
import { openBackend } from '../../extension/src/engine/backend/openBackend.js';
import { mergeIntoFolder } from '../../extension/src/engine/export/mergeModel.js';
import { mlxModel } from '../../extension/src/engine/export/mlxModel.js';
import { openHuggingFaceFolder } from '../../extension/src/engine/files/huggingfaceFolder.js';
import { architectureOfFiles } from '../../extension/src/engine/models/loadModel.js';
import { modelFamilies } from '../../extension/src/engine/models/registry.js';
import { silentReporter } from '../../extension/src/engine/run/reporter.js';
import { someOf } from '../support/matrix.js';
import { changesOf, configVariants, variantLosses, writeVariant } from '../support/configVariants.js';

const kept = process.env['MLX_OUT'];
const path = mkdtempSync(join(tmpdir(), 'tunewright-mlx-folders-'));
afterAll(() => rmSync(path, { recursive: true }));
beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
});

const REFUSALS =
  /^mlx-lm computes something else for this model: (a layer attends to \d+ tokens \(sliding window\)|its activation is |its head is not |its attention scores are scaled|\d+ heads of \d+ are not|the biases of|its feed-forward network is \d+ wide|rotary scaling (dynamic|longrope)|YaRN with )/;

describe.each(modelFamilies.map(({ modelType }, turn) => [modelType, turn] as const))('%s', (modelType, turn) => {
  const ofFamily = configVariants.flatMap((variant, number) =>
    variant.config.model_type === modelType ? [{ changes: changesOf(variant), variant, number }] : [],
  );
  const variants = someOf(ofFamily, turn);
  const refused: string[] = [];

  test.each(variants)('$changes', async ({ changes, variant, number }) => {
    const files = openHuggingFaceFolder(writeVariant(join(path, 'variant'), variant), changes);
    const out = join(kept ?? path, String(number));
    rmSync(out, { recursive: true, force: true });
    try {
      const { files: readable, tensorName } = mlxModel(files, architectureOfFiles(files));
      await mergeIntoFolder(out, readable, [], {
        ...{ dtype: 'F32', maxShardBytes: Infinity, tensorName },
        ...{ reporter: silentReporter, signal: new AbortController().signal },
        ...{ compare: true, generalTexts: null, run: null },
      });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      expect(error.message).toMatch(REFUSALS);
      refused.push(changes);
      return;
    } finally {
      files.close();
    }
    const written = openHuggingFaceFolder(out, changes);
    const losses = variantLosses(written);
    written.close();
    losses.forEach((loss, i) => {
      const off = Math.abs(loss - variant.losses[i]!) / (1 + variant.losses[i]!);
      expect(off, `token ${i + 1}: ${loss} instead of ${variant.losses[i]}`).toBeLessThan(2e-5);
    });
  });

  test('most are written', () => {
    expect(refused.length).toBeLessThan(variants.length / 2);
  });
});
