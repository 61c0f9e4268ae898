// LoRA on one matrix in figures, for given sizes and for a matrix of a model.
import { expect, test } from 'vitest';
import { drawMatrixExample, matrixExampleOf } from '../../../../extension/src/engine/estimate/matrixExample.js';
import { architectureOf } from '../../../../extension/src/engine/models/registry.js';
import { SMOLLM2_CONFIG } from './configs.js';

const architecture = architectureOf(SMOLLM2_CONFIG, 'test');

test('512x64 at r = 8: 32,768 -> 512 + 4,096 = 4,608, 86% fewer', () => {
  const example = matrixExampleOf('512x64', 8, architecture);
  expect(example).toMatchObject({ parameters: 32768, aParameters: 512, bParameters: 4096, loraParameters: 4608 });
  const drawn = drawMatrixExample(example);
  for (const part of ['512 x 64', '= 32,768', '8 x 64', '512 x 8', '4,608 instead of 32,768', '86% fewer'])
    expect(drawn).toContain(part);
});

test('finds a module by the end of its name', () => {
  expect(matrixExampleOf('v_proj', 8, architecture)).toMatchObject({
    module: 'model.layers.0.self_attn.v_proj',
    outFeatures: 192,
    inFeatures: 576,
  });
  expect(matrixExampleOf('layers.7.mlp.down_proj.weight', 4, architecture).module).toBe('model.layers.7.mlp.down_proj');
});

test('a rank that saves nothing is shown with the rank that would', () => {
  expect(drawMatrixExample(matrixExampleOf('512x64', 64, architecture))).toContain('a rank below 57 pays off');
});

test.each(['w_proj', '0x64', '512'])('refuses %s', matrix => {
  expect(() => matrixExampleOf(matrix, 8, architecture)).toThrow(/neither a matrix of this model nor sizes/);
});
