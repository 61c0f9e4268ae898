// GGUF's blocks as a base: kept whatever format is requested, in a Llama (whose query and key rows are permuted) and a
// GPT-2 (whose matrices are transposed), with exactly the values of the dequantized file.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { createRng } from '../../../../extension/src/engine/data/rng.js';
import { openGguf } from '../../../../extension/src/engine/files/ggufModel.js';
import { ggufTensorName } from '../../../../extension/src/engine/files/ggufNames.js';
import { quantizations } from '../../../../extension/src/engine/files/ggufQuantization.js';
import { writeGguf, type GgufTypedValue } from '../../../../extension/src/engine/files/ggufWriter.js';
import { findTensors, loadModel } from '../../../../extension/src/engine/models/loadModel.js';
import { denseOf } from '../../../../extension/src/engine/models/quantizedWeight.js';
import { weightLayouts } from '../../../../extension/src/engine/models/weightLayouts.js';
import type { BaseWeights, UsedWeights } from '../../../../extension/src/protocol/engineConfig.js';
import { writeGgufModel } from '../../../support/ggufModel.js';
import { tinyArchitecture } from '../../../support/tinyModels.js';

const SIZES = { hidden_size: 64, intermediate_size: 96, head_dim: 16, n_embd: 64, attention_bias: false };
const float32 = (base_weights: BaseWeights): UsedWeights => ({ base_weights, precision: 'float32' });
const folder = mkdtempSync(join(tmpdir(), 'kept-'));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(() => openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} }));

/** A tiny model whose matrices are random blocks of a type. */
function writeBlocks(family: 'llama' | 'gpt2', ggmlType: string): string {
  const architecture = tinyArchitecture(family, SIZES);
  const { attention, mlp } = architecture.layers[0]!;
  const size = (value: number): GgufTypedValue => ({ type: 'uint32', value });
  const epsilon = family === 'llama' ? 'layer_norm_rms_epsilon' : 'layer_norm_epsilon';
  const metadata: Record<string, GgufTypedValue> = {
    'general.architecture': { type: 'string', value: family },
    [`${family}.block_count`]: size(2),
    [`${family}.context_length`]: size(64),
    [`${family}.embedding_length`]: size(64),
    [`${family}.feed_forward_length`]: size(mlp.width),
    [`${family}.attention.head_count`]: size(4),
    [`${family}.attention.head_count_kv`]: size(attention.keyValueHeads),
    [`${family}.attention.${epsilon}`]: { type: 'float32', value: 1e-5 },
  };
  const { blockBytes } = quantizations[ggmlType]!;
  const rng = createRng(ggmlType);
  const tensors = architecture.parameters.map(({ name, shape }) => {
    const [, module, suffix] = /^(.*)\.(weight|bias)$/.exec(name)!;
    const found = ggufTensorName(family, module!)!;
    const stored = {
      name: `${found.name}.${suffix}`,
      shape: found.transform === 'transpose' ? shape.toReversed() : shape,
    };
    const length = shape.reduce((product, value) => product * value, 1);
    if (shape.length === 1 || name.includes('wpe'))
      return { ...stored, dtype: 'F32' as const, data: Float32Array.from({ length }, () => rng.normal()) };
    const bytes = Uint8Array.from({ length: (length / 32) * blockBytes }, () => rng.int(256));
    // Scales (and minima, in Q4_1) between 1/32 and 2.
    for (let at = 0; at < bytes.length; at += blockBytes)
      for (const half of ggmlType === 'Q4_1' ? [at, at + 2] : [at]) bytes[half + 1] = 0x28 + rng.int(0x18);
    return { ...stored, ggmlType, byteLength: bytes.length, pieces: () => [bytes] };
  });
  const path = join(folder, `${family}-${ggmlType}.gguf`);
  writeGguf(path, metadata, tensors);
  return path;
}

test.each([
  ['llama', 'Q8_0', 'int8', 'int8'],
  ['llama', 'Q4_0', 'int4', 'int4'],
  ['llama', 'Q4_1', 'int4', 'int4_minimum'],
  ['llama', 'Q4_0', 'int8', 'int4'],
  ['llama', 'Q8_0', 'bfloat16', 'int8'],
  ['llama', 'Q8_0', 'int4', 'int8'],
  ['gpt2', 'Q8_0', 'int8', 'int8'],
  ['gpt2', 'Q4_1', 'int8', 'int4_minimum'],
] as const)('%s in %s, requested as %s, is held as %s', (family, ggmlType, requested, held) => {
  const before = tf.memory().numTensors;
  const files = openGguf(writeBlocks(family, ggmlType), 'kept');
  const [kept, dense] = [loadModel(files, { settings: float32(requested) }), loadModel(files)];
  const layouts = weightLayouts(kept.architecture, findTensors(files, kept.architecture), float32(requested));
  expect(new Set([...layouts.values()].map(({ format }) => format))).toEqual(new Set([held]));
  // Every matrix but GPT-2's positions.
  expect(layouts.size).toBe(family === 'llama' ? 15 : 9);
  for (const { name } of kept.architecture.parameters) {
    const [actual, expected] = [kept, dense].map(model =>
      tf.tidy(() => denseOf(model.weight(name)).dataSync<'float32'>().slice()),
    );
    expect(actual, name).toEqual(expected);
  }
  kept.dispose();
  dense.dispose();
  files.close();
  expect(tf.memory().numTensors).toBe(before);
});

test.each([
  ['Q8_0', 'int8', 'int8'],
  ['Q4_0', 'int4', 'int4'],
  ['Q4_1', 'int4', 'int4_minimum'],
] as const)('the embedded model in %s: blocks are kept, F16 tensors become int8', (type, requested, held) => {
  const embedded = fileURLToPath(new URL('../../../../media/models/tiny', import.meta.url));
  const files = openGguf(writeGgufModel(join(folder, `embedded-${type}.gguf`), embedded, type), 'kept');
  const [kept, dense] = [loadModel(files, { settings: float32(requested) }), loadModel(files)];
  const { parameters } = kept.architecture;
  const layouts = weightLayouts(kept.architecture, findTensors(files, kept.architecture), float32(requested));
  for (const { name, shape } of parameters) {
    const [actual, expected] = [kept, dense].map(model =>
      tf.tidy(() => denseOf(model.weight(name)).dataSync<'float32'>().slice()),
    );
    // 432 columns aren't a whole number of blocks: llama.cpp keeps such a tensor in F16.
    const rounded = name.includes('down_proj');
    if (shape.length > 1) expect(layouts.get(name)!.format, name).toBe(rounded ? 'int8' : held);
    // toEqual would take seconds for this many values.
    if (!rounded)
      expect(
        actual!.every((value, i) => value === expected![i]),
        name,
      ).toBe(true);
    else {
      const largest = Math.max(...expected!.map(Math.abs));
      expect(Math.max(...actual!.map((value, i) => Math.abs(value - expected![i]!))), name).toBeLessThan(largest / 250);
    }
  }
  kept.dispose();
  dense.dispose();
  files.close();
});

test('a float32 base multiplied in bfloat16 is rounded once, not at each use', () => {
  const files = openGguf(writeBlocks('gpt2', 'Q8_0'), 'kept');
  const architecture = tinyArchitecture('gpt2', SIZES);
  const layouts = weightLayouts(architecture, findTensors(files, architecture), {
    base_weights: 'float32',
    precision: 'bfloat16',
  });
  expect([...layouts.values()].every(({ format, transposed }) => format === 'bfloat16' && !transposed)).toBe(true);
  files.close();
});
