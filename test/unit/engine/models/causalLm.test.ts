// What layers share in a forward pass, and what requires all of them to have the same heads.
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { trace } from '../../../../extension/src/engine/capture/tracingBackend.js';
import { cacheShape } from '../../../../extension/src/engine/generation/cacheTensor.js';
import type { Architecture } from '../../../../extension/src/engine/models/architecture.js';
import { CausalLm } from '../../../../extension/src/engine/models/causalLm.js';
import { peftMethod } from '../../../../extension/src/engine/peft/registry.js';
import { inputErrorOf } from '../../../support/inputErrors.js';
import { tinyArchitecture } from '../../../support/tinyModels.js';

/** How often each op is in the graph of a forward pass over 8 tokens. */
function opsOf(architecture: Architecture): Record<string, number> {
  const grid = { shape: [1, 8], dtype: 'int32' } as const;
  const parameters = architecture.parameters.map(({ shape }) => ({ shape, dtype: 'float32' as const }));
  const { graph } = trace([grid, grid, grid, ...parameters], (...inputs) => {
    const [inputIds, positionIds, segmentIds] = inputs as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
    const weights = new Map(architecture.parameters.map(({ name }, i) => [name, inputs[3 + i]!]));
    const model = new CausalLm(architecture, weights);
    const hidden = model.forward({ inputIds, positionIds, segmentIds });
    model.dispose();
    return [hidden];
  });
  const counts: Record<string, number> = {};
  for (const { op } of graph.nodes) counts[op] = (counts[op] ?? 0) + 1;
  return counts;
}

test('the attention mask is computed once per window', () => {
  const windows = (types: string[], sliding_window: number) =>
    opsOf(
      tinyArchitecture('qwen2', {
        num_hidden_layers: types.length,
        use_sliding_window: true,
        sliding_window,
        layer_types: types,
      }),
    )['LogicalAnd'];
  const [full, sliding] = ['full_attention', 'sliding_attention'] as const;
  // One op without a window, two with one.
  expect(windows([full, full, full], 3)).toBe(1);
  expect(windows([sliding, sliding, sliding], 3)).toBe(2);
  expect(windows([full, sliding, full, sliding, sliding], 3)).toBe(3);
  // A window as long as the sequence has no effect.
  expect(windows([full, sliding, full, sliding, sliding], 8)).toBe(1);
});

test('all layers use the same rotary tables', () => {
  const { GatherV2: two } = opsOf(tinyArchitecture('llama', { num_hidden_layers: 2 }));
  expect(opsOf(tinyArchitecture('llama', { num_hidden_layers: 5 }))['GatherV2']).toBe(two);
});

test('layers with different heads are refused by code that holds those of all layers in one tensor', async () => {
  const architecture = tinyArchitecture('llama');
  const [first, last] = architecture.layers;
  const other = { ...last!, attention: { ...last!.attention, keyValueHeads: 4 } };
  const mixed: Architecture = { ...architecture, layers: [first!, other] };
  const prefix = peftMethod('PREFIX_TUNING')!;
  const config = prefix.schema.parse({});
  const errors = await Promise.all([
    inputErrorOf(() => prefix.plan(config, mixed, 'training')),
    inputErrorOf(() => cacheShape(mixed, 256)),
  ]);
  for (const { message } of errors) expect(message).toBe('layers 0 and 1 have different key and value heads');
});
