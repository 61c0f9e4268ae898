// The error of an export that would differ from the model that it was made from. Thrown by the comparisons of the certificate, before
// the file or folder gets its name.
import { CodedError } from '../../core/codedError.js';

/** @param what how the written file differs @param source what it was made from */
export function exportDiffers(what: string, source: { path: string }, hint = HINT): CodedError {
  return new CodedError('export_differs', `the export was read again: ${what}; nothing was written`, {
    file: source.path,
    hint,
  });
}

const HINT = 'Its format can’t express this. Write a Hugging Face folder instead: merge --out FOLDER.';
