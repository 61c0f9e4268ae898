// How long a sequence may be: as long as the model's positions and the rotary tables reach. A reader fails instead of
// reading beyond them.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { StepGraphs } from '../../../../extension/src/engine/generation/stepGraphs.js';
import { EagerReader } from '../../../../extension/src/engine/generation/tokenReader.js';
import { rotaryTableBytes, usablePositions } from '../../../../extension/src/engine/models/rotaryTables.js';
import { AttachedMethod, usableLength } from '../../../../extension/src/engine/peft/attachedMethod.js';
import { peftMethod } from '../../../../extension/src/engine/peft/registry.js';
import { tinyArchitecture, tinyModel } from '../../../support/tinyModels.js';
import { CapturedReader } from '../../../support/decoder.js';

beforeAll(() => openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} }));

describe('usable positions', () => {
  const long = { max_position_embeddings: 131072, n_positions: 131072 };

  test.each([
    ['llama', {}, 64],
    ['llama', { max_position_embeddings: 32768 }, 32768],
    ['llama', long, 32768],
    ['gpt2', long, 131072],
    // Longer sequences would have other frequencies.
    ['llama', { rope_scaling: { type: 'dynamic', factor: 4 } }, 64],
    ['llama', { rope_scaling: { type: 'yarn', factor: 4, original_max_position_embeddings: 16 } }, 64],
    [
      'llama',
      {
        rope_scaling: {
          ...{ type: 'longrope', short_factor: [1, 2], long_factor: [2, 4] },
          original_max_position_embeddings: 48,
        },
      },
      48,
    ],
  ])('%s %j', (family, changes, expected) => {
    const architecture = tinyArchitecture(family, changes);
    expect(usablePositions(architecture)).toBe(expected);
    expect(usableLength(architecture, null)).toBe(expected);
    const method = peftMethod('PREFIX_TUNING')!;
    const config = method.schema.parse({ num_virtual_tokens: 5 });
    expect(usableLength(architecture, new AttachedMethod(method, config, architecture))).toBe(expected - 5);
  });

  test('are the number of rows in the tables', () => {
    const model = tinyModel('llama', long);
    const tables = tf.memory().numBytes - tinyWithoutTables();
    expect(tables).toBe(rotaryTableBytes(model.architecture));
    expect(rotaryTableBytes(model.architecture)).toBe(2 * 4 * 32768 * 4);
    model.dispose();

    function tinyWithoutTables(): number {
      return 4 * model.architecture.parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    }
  });
});

test.each(['llama', 'gpt2'])('a reader of %s fails beyond the last one', async family => {
  const before = tf.memory().numTensors;
  const model = tinyModel(family, { max_position_embeddings: 6, n_positions: 6 });
  const eager = new EagerReader(model, {});
  tf.dispose(Object.values(eager.read([5, 9, 30, 2, 7])));
  const graphs = new StepGraphs(model);
  const captured = new CapturedReader(graphs, null, eager.cache, 1);
  tf.dispose(Object.values(await captured.read(7)));
  tf.dispose(Object.values(eager.read([7])));
  await expect(captured.read(8)).rejects.toThrow('the model reads at most 6 tokens');
  expect(() => eager.read([8])).toThrow(/index value 6 is not in \[0, 5\]/);
  for (const owner of [eager, captured, graphs, model]) owner.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
