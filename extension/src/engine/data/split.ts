// Splits rows into training and validation if the run file has a share instead of a validation file. Depends on the seed only.
import { InputError } from '../../core/inputError.js';
import { createRng } from './rng.js';
import { indented } from './rowNotes.js';

/**
 * Holds out `share` of the rows, at least one and never all. Both lists are in file order. Excluded rows take part and are removed
 * afterwards, so that all others are divided as without the exclusion.
 * @throws InputError if there are fewer than two rows, naming those of the file that were left out, or all of a list are excluded
 */
export function splitRows(
  { length: kept, excluded, leftOut }: { length: number; excluded: readonly number[]; leftOut: readonly string[] },
  share: number,
  seed: number,
): { train: Int32Array; validation: Int32Array } {
  const length = kept + excluded.length;
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
  const indices = indicesWithout(excluded, length);
  const rest = (places: Int32Array) =>
    places
      .map(place => indices[place]!)
      .filter(index => index >= 0)
      .sort();
  const split = { validation: rest(order.slice(0, heldOut)), train: rest(order.slice(heldOut)) };
  for (const [name, rows] of Object.entries(split))
    if (rows.length === 0)
      throw new InputError(`all ${name === 'train' ? 'training' : 'validation'} rows are excluded`, {
        key: 'dataset.exclude',
        hint: 'Take some rows out of the quarantine, or change dataset.validation or training.seed.',
      });
  return split;
}

/** The index of the row at each place, of which there are `length`; -1 for excluded ones. */
function indicesWithout(excluded: readonly number[], length: number): Int32Array {
  const indices = new Int32Array(length);
  for (const place of excluded) indices[place] = -1;
  let next = 0;
  for (let place = 0; place < length; place++) if (indices[place] === 0) indices[place] = next++;
  return indices;
}
