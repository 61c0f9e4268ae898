// What a run asks of its base weights and products, against what method, backend and CPU have.
import { describe, expect, test } from 'vitest';
import type { Backend } from '../../../../extension/src/engine/backend/openBackend.js';
import { peftMethod } from '../../../../extension/src/engine/peft/registry.js';
import { checkBaseWeights, usablePrecision } from '../../../../extension/src/engine/run/runChecks.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const backend = (name: Backend['name']): Backend => ({ name, libraryVersion: '1', device: 'CPU', threads: 2 });
const [lora, full] = [peftMethod('LORA')!, peftMethod('FULL')!];

describe('base_weights', () => {
  test('float32 goes with everything, the others with a frozen base on tensorflow', () => {
    expect(() => checkBaseWeights('float32', full, backend('wasm'))).not.toThrow();
    expect(() => checkBaseWeights('int4', lora, backend('tensorflow'))).not.toThrow();
  });

  test.each([
    ['FULL', full, 'tensorflow', 'trains every weight'],
    ['wasm', lora, 'wasm', "can't compute with int8 weights"],
  ] as const)('%s is refused with what to change', async (_, method, name, said) => {
    const error = await inputErrorOf(() => checkBaseWeights('int8', method, backend(name)));
    expect(error.message).toContain(said);
    expect(error.where).toBe('engine.base_weights');
    expect(error.hint).toContain('"float32"');
  });
});

describe('precision', () => {
  const used = (method = lora, name: Backend['name'] = 'tensorflow', features = ['AVX512_BF16']) => {
    const warnings: string[] = [];
    const reporter = {
      ...silentReporter,
      warn: (code: string, message: string) => warnings.push(`${code} ${message}`),
    };
    return { precision: usablePrecision('bfloat16', method, backend(name), features, reporter), warnings };
  };

  test.each([[['AVX512_BF16']], [['AVX2', 'AMX']]])('bfloat16 is used with %s', features => {
    expect(used(lora, 'tensorflow', features)).toEqual({ precision: 'bfloat16', warnings: [] });
  });

  test.each([
    ['a CPU without the instructions', used(lora, 'tensorflow', ['AVX2', 'AVX512F']), 'AVX512_BF16'],
    ['wasm', used(lora, 'wasm'), 'wasm'],
    ['FULL', used(full), 'FULL'],
  ])('on %s the run says why it stays at float32', (_, { precision, warnings }, said) => {
    expect(precision).toBe('float32');
    expect(warnings).toEqual([expect.stringMatching(new RegExp(`^precision_not_used .*would not help.*${said}`))]);
  });
});
