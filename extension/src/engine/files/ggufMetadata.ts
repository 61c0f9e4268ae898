// Typed access to GGUF metadata: a missing key or one of the wrong type is an error that names it. Used by ggufConfig.ts and
// ggufTokenizer.ts.
import { InputError } from '../../core/inputError.js';
import type { GgufValue } from './ggufFormat.js';

export class GgufMetadata {
  constructor(
    private readonly values: ReadonlyMap<string, GgufValue>,
    readonly path: string,
  ) {}

  number(key: string): number {
    return this.optionalNumber(key) ?? this.missing(key);
  }

  optionalNumber(key: string): number | null {
    return this.read(key, 'a number', (value): value is number => typeof value === 'number' && Number.isFinite(value));
  }

  /** A float32 as the shortest decimal that is equal to it: 1e-5 instead of 9.999999747378752e-6. */
  optionalFloat32(key: string): number | null {
    const value = this.optionalNumber(key);
    if (value === null) return null;
    for (let digits = 1; digits <= 9; digits++) {
      const short = Number(value.toPrecision(digits));
      if (Math.fround(short) === value) return short;
    }
    return value;
  }

  /** A positive integer, for sizes and counts. */
  size(key: string): number {
    const value = this.number(key);
    if (!Number.isInteger(value) || value < 1) this.fail(key, `${value} is not a valid size`);
    return value;
  }

  optionalString(key: string): string | null {
    return this.read(key, 'a string', value => typeof value === 'string');
  }

  optionalBoolean(key: string): boolean | null {
    return this.read(key, 'true or false', value => typeof value === 'boolean');
  }

  optionalStrings(key: string): string[] | null {
    return this.read(
      key,
      'a list of strings',
      (value): value is string[] => Array.isArray(value) && value.every(item => typeof item === 'string'),
    );
  }

  optionalNumbers(key: string): number[] | null {
    return this.read(
      key,
      'a list of numbers',
      (value): value is number[] => Array.isArray(value) && value.every(item => typeof item === 'number'),
    );
  }

  fail(key: string, message: string, hint?: string): never {
    throw new InputError(message, { file: this.path, key, hint });
  }

  private missing(key: string): never {
    return this.fail(key, 'this metadata key is missing');
  }

  private read<T extends GgufValue>(key: string, what: string, is: (value: GgufValue) => value is T): T | null {
    const value = this.values.get(key);
    if (value === undefined) return null;
    return is(value) ? value : this.fail(key, `this is not ${what}`);
  }
}
