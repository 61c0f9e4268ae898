import { describe, expect, it } from 'vitest';
import { inspectMachine, parseCpuFeatures } from '../../../../extension/src/engine/machine/machine.js';

describe('machine', () => {
  it('names the vector instructions that matter, in a fixed order', () => {
    expect(
      parseCpuFeatures('processor\t: 0\nflags\t\t: fpu sse2 avx512_bf16 avx512f avx2 fma amx_tile\nbugs\t: x'),
    ).toEqual(['AVX2', 'FMA', 'AVX512F', 'AVX512_BF16', 'AMX']);
    expect(parseCpuFeatures('Features\t: fp asimd sve')).toEqual(['NEON', 'SVE']);
    expect(parseCpuFeatures('processor : 0')).toEqual([]);
  });

  it('looks at this machine', async () => {
    const machine = await inspectMachine();
    expect(machine.platform).toBe(`${process.platform}-${process.arch}`);
    expect(machine.cores).toBeGreaterThan(0);
    expect(machine.availableMemoryBytes).toBeLessThanOrEqual(machine.memoryBytes);
  });
});
