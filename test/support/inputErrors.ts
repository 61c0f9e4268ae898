// What every InputError must look like.
import { expect } from 'vitest';
import { InputError } from '../../extension/src/core/inputError.js';

/** Runs `f`, which must throw an InputError, and returns that. Anything else fails the test. */
export async function inputErrorOf(f: () => unknown): Promise<InputError> {
  let thrown: unknown;
  try {
    await f();
  } catch (error) {
    thrown = error;
  }
  expect(thrown, 'nothing was thrown').toBeDefined();
  if (!(thrown instanceof InputError)) throw thrown;
  expect(thrown.describe(), 'the message has no place').toMatch(/\S: \S/);
  return thrown;
}
