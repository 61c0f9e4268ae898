// LoRA on one matrix in figures, for given sizes and for a matrix of a model.
import { expect, test } from 'vitest';
import { drawMatrixExample, matrixExampleOf } from '../../../../extension/src/engine/estimate/matrixExample.js';
import { architectureOf } from '../../../../extension/src/engine/models/registry.js';
import { SMOLLM2_CONFIG } from './configs.js';

const architecture = architectureOf(SMOLLM2_CONFIG, 'test');

test('512x64 at r = 8: 32,768 -> 512 + 4,096 = 4,608, 86% fewer', () => {
  const example = matrixExampleOf('512x64', { rank: 8, pairs: 1 }, architecture);
  expect(example).toMatchObject({ parameters: 32768, aParameters: 512, bParameters: 4096, trainedParameters: 4608 });
  const drawn = drawMatrixExample(example, 'LoRA');
  for (const part of ['512 x 64', '= 32,768', '8 x 64', '512 x 8', '4,608 instead of 32,768', '86% fewer'])
    expect(drawn).toContain(part);
});

test('two pairs of factors have twice as many parameters', () => {
  const example = matrixExampleOf('512x64', { rank: 4, pairs: 2 }, architecture);
  expect(example).toMatchObject({ aParameters: 512, bParameters: 4096, trainedParameters: 4608 });
  expect(drawMatrixExample(example, 'LoHa')).toMatch(/^LoHa on .*∘/);
});

test('finds a module by the end of its name', () => {
  expect(matrixExampleOf('v_proj', { rank: 8, pairs: 1 }, architecture)).toMatchObject({
    module: 'model.layers.0.self_attn.v_proj',
    outFeatures: 192,
    inFeatures: 576,
  });
  expect(matrixExampleOf('layers.7.mlp.down_proj.weight', { rank: 4, pairs: 1 }, architecture).module).toBe(
    'model.layers.7.mlp.down_proj',
  );
});

test('a rank that saves nothing is shown with the rank that would', () => {
  expect(drawMatrixExample(matrixExampleOf('512x64', { rank: 64, pairs: 1 }, architecture), 'LoRA')).toContain(
    'a rank below 57 pays off',
  );
});

test.each(['w_proj', '0x64', '512'])('refuses %s', matrix => {
  expect(() => matrixExampleOf(matrix, { rank: 8, pairs: 1 }, architecture)).toThrow(
    /neither a matrix of this model nor sizes/,
  );
});
