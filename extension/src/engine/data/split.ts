// Splits rows into training and validation if the run file has a share instead of a validation file. Depends on the seed only.
import { InputError } from '../../core/inputError.js';
import { createRng } from './rng.js';
import { indented } from './rowNotes.js';

/**
 * Holds out `share` of the rows, at least one and never all. Both lists are in file order.
 * @throws InputError if there are fewer than two rows, naming those of the file that were left out
 */
export function splitRows(
  { length, leftOut }: { length: number; leftOut: readonly string[] },
  share: number,
  seed: number,
): { train: Int32Array; validation: Int32Array } {
  if (length < 2) {
    const others = leftOut.length > 0 ? `; left out:${indented(leftOut)}` : '';
    throw new InputError(`${length} row can't be split into training and validation${others}`, {
      key: 'dataset.validation',
      hint: 'Use more rows, or set dataset.validation to null or to a separate file.',
    });
  }
  const heldOut = Math.min(length - 1, Math.max(1, Math.round(length * share)));
  const order = createRng(seed)
    .fork('split')
    .shuffle(Int32Array.from({ length }, (_, i) => i));
  return { validation: order.slice(0, heldOut).sort(), train: order.slice(heldOut).sort() };
}
