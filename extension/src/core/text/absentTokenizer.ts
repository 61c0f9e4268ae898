// Replaces the tokenizer of a model that has none: rows of token ids can be read without it, anything else fails with a
// message that says what is missing.
import { InputError } from '../inputError.js';
import type { TextTokenizer } from './textTokenizer.js';

/**
 * @param folder of the model, for the message
 * @param names of the files in it
 */
export function absentTokenizer(folder: string, names: readonly string[]): TextTokenizer {
  const older = names.find(name => /^(tokenizer\.model|vocab\.json|vocab\.txt|.*\.tiktoken|tekken\.json)$/.test(name));
  const fail = (): never => {
    throw new InputError(
      older
        ? `the model has ${older}, but no tokenizer.json`
        : 'the model has no tokenizer.json, so that only rows of token ids (format "tokenized") can be read',
      {
        file: folder,
        hint: older
          ? `Convert it in Transformers: AutoTokenizer.from_pretrained("${folder}").save_pretrained("${folder}").`
          : 'Copy the model’s tokenizer.json and tokenizer_config.json into the folder of its weights.',
      },
    );
  };
  return {
    vocabSize: Infinity,
    bosTokenId: null,
    eosTokenId: null,
    padTokenId: null,
    specialTokens: {},
    chatTemplate: null,
    templatePlace: null,
    toolTemplate: null,
    encode: fail,
    // Ids are all there is to show of a row.
    decode: ids => Array.from(ids, id => `<${id}>`).join(''),
    tokenToId: fail,
    idToToken: id => `<${id}>`,
  };
}
