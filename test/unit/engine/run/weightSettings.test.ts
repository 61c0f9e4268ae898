// What a run or a command asks of its base weights and products, against what method, backend and CPU have.
import { describe, expect, test } from 'vitest';
import type { WeightSettings } from '../../../../extension/src/protocol/runConfig.js';
import type { Backend } from '../../../../extension/src/engine/backend/backend.js';
import { peftMethod } from '../../../../extension/src/engine/peft/registry.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import { usableWeights, type WeightUse } from '../../../../extension/src/engine/run/weightSettings.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const [lora, full] = [peftMethod('LORA')!, peftMethod('FULL')!];

/** What is used of settings, and the warnings. */
function used(
  asked: Partial<WeightSettings>,
  method: WeightUse['method'] = lora,
  name: Backend['name'] = 'tensorflow',
  features = ['AVX512_BF16'],
) {
  const warnings: string[] = [];
  const reporter = { ...silentReporter, warn: (code: string, message: string) => warnings.push(`${code} ${message}`) };
  const backend = { name, libraryVersion: '1', device: 'CPU', threads: 2 };
  const settings = { base_weights: 'float32', precision: 'float32', ...asked } as const;
  return { ...usableWeights(settings, { backend, method, reporter, features }), warnings };
}

describe('base_weights', () => {
  test('float32 goes with everything, the others with a frozen base on tensorflow', () => {
    expect(used({}, full, 'wasm').base_weights).toBe('float32');
    expect(used({ base_weights: 'int4' }).base_weights).toBe('int4');
    expect(used({ base_weights: 'int8' }, null).base_weights).toBe('int8');
  });

  test.each([
    ['FULL', full, 'tensorflow', 'trains every weight'],
    ['wasm', lora, 'wasm', "can't compute with int8 weights"],
    ['wasm where nothing trains', null, 'wasm', "can't compute with int8 weights"],
  ] as const)('%s is refused with what to change', async (_, method, name, said) => {
    const error = await inputErrorOf(() => used({ base_weights: 'int8' }, method, name));
    expect(error.message).toContain(said);
    expect(error.where).toBe('engine.base_weights');
    expect(error.hint).toContain('"float32"');
  });
});

describe('precision', () => {
  const bfloat16 = { precision: 'bfloat16' } as const;

  test.each([[['AVX512_BF16']], [['AVX2', 'AMX']]])('bfloat16 is used with %s', features => {
    expect(used(bfloat16, lora, 'tensorflow', features)).toMatchObject({ precision: 'bfloat16', warnings: [] });
  });

  test.each([
    ['a CPU without the instructions', used(bfloat16, lora, 'tensorflow', ['AVX2', 'AVX512F']), 'AVX512_BF16'],
    ['wasm', used(bfloat16, null, 'wasm'), 'wasm'],
    ['FULL', used(bfloat16, full), 'FULL'],
  ])('on %s the run says why it stays at float32', (_, { precision, warnings }, said) => {
    expect(precision).toBe('float32');
    expect(warnings).toEqual([expect.stringMatching(new RegExp(`^precision_not_used .*would not help.*${said}`))]);
  });
});
