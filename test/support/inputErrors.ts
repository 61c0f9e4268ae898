// What every refusal has to look like, wherever it comes from.
import { expect } from 'vitest';
import { InputError } from '../../extension/src/core/inputError.js';

/** Runs `f`, which must throw an InputError; gives it for a closer look. Anything else fails the test by name. */
export async function inputErrorOf(f: () => unknown): Promise<InputError> {
  let thrown: unknown;
  try {
    await f();
  } catch (error) {
    thrown = error;
  }
  expect(thrown, 'nothing was thrown').toBeDefined();
  if (!(thrown instanceof InputError)) throw thrown;
  expect(thrown.describe(), 'a message without a place').toMatch(/\S: \S/);
  return thrown;
}
