// PyTorch's CPU generator, bit for bit, for PEFT adapters that store a seed instead of the random values. All other random numbers
// come from rng.ts.
// Generator: MT19937 (Matsumoto & Nishimura 1998, doi:10.1145/272991.272995) with its reference constants.

const SIZE = 624;
const SHIFT = 397;
const UPPER = 0x80000000;
const LOWER = 0x7fffffff;
const MATRIX = 0x9908b0df;

export class TorchGenerator {
  private readonly words = new Uint32Array(SIZE);
  private next = SIZE;

  /** `torch.Generator("cpu").manual_seed(seed)`, which uses the lower 32 bits. @param seed a whole number */
  constructor(seed: number) {
    const { words } = this;
    words[0] = seed;
    for (let i = 1; i < SIZE; i++) {
      const before = words[i - 1]!;
      words[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
    }
  }

  /** `torch.empty(count).uniform_(low, high, generator=...)` in float32: 24 random bits per number. */
  uniform(count: number, low: number, high: number): Float32Array {
    const [from, to] = [Math.fround(low), Math.fround(high)];
    const width = Math.fround(to - from);
    // Rounded once, by the array, because torch multiplies and adds in one instruction.
    return Float32Array.from({ length: count }, () => ((this.uint32() & 0xffffff) / 0x1000000) * width + from);
  }

  private uint32(): number {
    if (this.next === SIZE) this.renew();
    let y = this.words[this.next++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  private renew(): void {
    const { words } = this;
    for (let i = 0; i < SIZE; i++) {
      const y = (words[i]! & UPPER) | (words[(i + 1) % SIZE]! & LOWER);
      words[i] = words[(i + SHIFT) % SIZE]! ^ (y >>> 1) ^ (y & 1 ? MATRIX : 0);
    }
    this.next = 0;
  }
}
