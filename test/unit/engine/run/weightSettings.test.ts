// Requested base weights and precision against method, backend and CPU.
import { describe, expect, test } from 'vitest';
import type { WeightSettings } from '../../../../extension/src/protocol/engineConfig.js';
import type { Backend } from '../../../../extension/src/engine/backend/backend.js';
import { peftMethod } from '../../../../extension/src/engine/peft/registry.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import { usableWeights, type WeightUse } from '../../../../extension/src/engine/run/weightSettings.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const [lora, full] = [peftMethod('LORA')!, peftMethod('FULL')!];

/** The settings in use, and the warnings. */
async function used(
  requested: Partial<WeightSettings>,
  method: WeightUse['method'] = lora,
  name: Backend['name'] = 'tensorflow',
  features = ['AVX512_BF16'],
  bfloat16FlopsPerSecond = 200e9,
  measured = true,
) {
  const warnings: string[] = [];
  const reporter = { ...silentReporter, warn: (code: string, message: string) => warnings.push(`${code} ${message}`) };
  const backend = { name, libraryVersion: '1', device: 'CPU', threads: 2 };
  const settings = { base_weights: 'float32', precision: 'float32', ...requested } as const;
  const rates = { machine: 'm', flopsPerSecond: 100e9, bytesPerSecond: 10e9, bfloat16FlopsPerSecond };
  const speed = async () => (measured ? rates : null);
  const use = { backend, method, reporter, threads: null, features, speed };
  return { ...(await usableWeights(settings, use)), warnings };
}

describe('base_weights', () => {
  test('float32 works with everything, the others with a frozen base on tensorflow', async () => {
    expect((await used({}, full, 'wasm')).base_weights).toBe('float32');
    expect((await used({ base_weights: 'int4' })).base_weights).toBe('int4');
    expect((await used({ base_weights: 'int8' }, null)).base_weights).toBe('int8');
  });

  test.each([
    ['FULL', full, 'tensorflow', 'trains all weights'],
    ['wasm', lora, 'wasm', "can't compute with int8 weights"],
    ['wasm for inference', null, 'wasm', "can't compute with int8 weights"],
  ] as const)('%s is rejected with a hint', async (_, method, name, part) => {
    const error = await inputErrorOf(() => used({ base_weights: 'int8' }, method, name));
    expect(error.message).toContain(part);
    expect(error.where).toBe('engine.base_weights');
    expect(error.hint).toContain('"float32"');
  });
});

describe('precision', () => {
  const auto = { precision: 'auto' } as const;
  const bfloat16 = { precision: 'bfloat16' } as const;

  test.each([[['AVX512_BF16']], [['AVX2', 'AMX']]])('bfloat16 is used with %s', async features => {
    expect(await used(bfloat16, lora, 'tensorflow', features)).toMatchObject({ precision: 'bfloat16', warnings: [] });
  });

  test.each([
    ['a CPU without the instructions', used(bfloat16, lora, 'tensorflow', ['AVX2', 'AVX512F']), 'AVX512_BF16'],
    ['wasm', used(bfloat16, null, 'wasm'), 'wasm'],
    ['FULL', used(bfloat16, full), 'FULL'],
  ])('on %s a warning says why float32 is used', async (_, using, part) => {
    const { precision, warnings } = await using;
    expect(precision).toBe('float32');
    expect(warnings).toEqual([expect.stringMatching(new RegExp(`^precision_not_used .*instead of bfloat16.*${part}`))]);
  });

  test('auto uses the measured speed, without warnings', async () => {
    expect(await used(auto)).toMatchObject({ precision: 'bfloat16', warnings: [] });
    const slow = await used(auto, lora, 'tensorflow', ['AVX512_BF16'], 101e9);
    expect(slow).toMatchObject({ precision: 'float32', warnings: [] });
    expect(await used(auto, lora, 'tensorflow', ['AVX512_BF16'], 200e9, false)).toMatchObject({
      precision: 'float32',
    });
    expect(await used(auto, full)).toMatchObject({ precision: 'float32', warnings: [] });
    expect(await used(auto, lora, 'tensorflow', ['AVX2'])).toMatchObject({ precision: 'float32', warnings: [] });
  });
});
