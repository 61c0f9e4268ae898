import { describe, expect, it } from 'vitest';
import { cpuKind, inspectMachine, parseCpuFeatures } from '../../../../extension/src/engine/machine/machine.js';

describe('machine', () => {
  it('names the vector instructions that matter, in a fixed order', () => {
    expect(
      parseCpuFeatures('processor\t: 0\nflags\t\t: fpu sse2 avx512_bf16 avx512f avx2 fma amx_tile\nbugs\t: x'),
    ).toEqual(['AVX2', 'FMA', 'AVX512F', 'AVX512_BF16', 'AMX']);
    expect(parseCpuFeatures('Features\t: fp asimd sve')).toEqual(['NEON', 'SVE']);
    expect(parseCpuFeatures('processor : 0')).toEqual([]);
  });

  it('distinguishes CPUs with the same name by family, model and instructions', () => {
    const cpuinfo = 'cpu family\t: 25\nmodel\t\t: 17\nmodel name\t: X\nflags\t\t: avx2 avx512f\n';
    expect(cpuKind(cpuinfo)).toMatch(/ \(family 25, model 17; AVX2, AVX512F\)$/);
    expect(cpuKind('')).not.toContain('(');
  });

  it('inspects this machine', async () => {
    const machine = await inspectMachine();
    expect(machine.platform).toBe(`${process.platform}-${process.arch}`);
    expect(machine.cores).toBeGreaterThan(0);
    expect(machine.availableMemoryBytes).toBeLessThanOrEqual(machine.memoryBytes);
  });
});
