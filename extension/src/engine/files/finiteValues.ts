// Values that are infinite or NaN make a model useless. Called by everything that takes over weights from a file or writes a model.
import type { Place } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import type { StoredTensor } from './tensorSource.js';

/**
 * @param place the tensor, for messages
 * @returns the largest magnitude
 * @throws InputError on a value that is infinite or NaN
 */
export function checkFinite(values: Float32Array, place: Place): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const magnitude = Math.abs(values[i]!);
    // False for NaN, too.
    if (!(magnitude < Infinity)) throw nonFiniteError(place);
    if (magnitude > largest) largest = magnitude;
  }
  return largest;
}

export function nonFiniteError(place: Place): InputError {
  return new InputError('a value of the tensor is non-finite (infinite or NaN)', {
    ...place,
    hint: 'The training has diverged, or the file is damaged: use an earlier checkpoint, or the file as it was published.',
  });
}

/** The values of a stored tensor. @throws InputError as {@link checkFinite} */
export function finiteValues(tensor: StoredTensor): Float32Array {
  const values = tensor.readFloat32();
  checkFinite(values, tensor.place);
  return values;
}
