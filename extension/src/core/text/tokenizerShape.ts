// Checks the shape of tokenizer.json before the library reads it, which would accept much of another shape without a word, or fail
// in the middle of a text. Called by huggingFaceTokenizer.ts.
import { isObject } from '../data/formats/rowFields.js';
import { InputError } from '../inputError.js';

const MODELS = ['BPE', 'WordPiece', 'Unigram', 'WordLevel'];
/** Of these, one step holds others under the name that follows. */
const STAGES = {
  normalizer: 'normalizers',
  pre_tokenizer: 'pretokenizers',
  post_processor: 'processors',
  decoder: 'decoders',
};

/** @throws InputError that names the key */
export function checkTokenizerShape(tokenizer: Record<string, unknown>): void {
  const { model, added_tokens: addedTokens = [] } = tokenizer;
  if (!isObject(model) || !model.vocab) throw unusable('has no "model" with a "vocab"');
  if (model.type !== undefined && !MODELS.includes(model.type as string))
    throw unusable(`the type ${JSON.stringify(model.type)} is not supported: known are ${MODELS.join(', ')}`, 'model');
  checkVocabulary(model.vocab);
  if (model.type === 'BPE' || model.merges !== undefined) checkMerges(model.merges);
  if (!Array.isArray(addedTokens)) throw unusable('must be a list', 'added_tokens');
  addedTokens.forEach((token: unknown, i) => {
    if (!isObject(token) || !Number.isSafeInteger(token.id) || typeof token.content !== 'string')
      throw unusable('needs an "id", a whole number, and a "content", a string', `added_tokens[${i}]`);
  });
  for (const [stage, steps] of Object.entries(STAGES)) checkStep(tokenizer[stage] ?? null, stage, steps);
}

/** Token -> id, or a list of tokens with their scores. */
function checkVocabulary(vocabulary: unknown): void {
  if (Array.isArray(vocabulary)) {
    const at = vocabulary.findIndex(entry => !Array.isArray(entry) || typeof entry[0] !== 'string');
    if (at >= 0) throw unusable('must be a token and its score', `model.vocab[${at}]`);
    return;
  }
  if (!isObject(vocabulary)) throw unusable('must be an object or a list', 'model.vocab');
  for (const token in vocabulary) {
    const id = vocabulary[token];
    if (!Number.isSafeInteger(id) || (id as number) < 0)
      throw unusable(`the id of ${JSON.stringify(token)} is ${JSON.stringify(id)}, not a whole number`, 'model.vocab');
  }
}

/** Each is a pair of tokens, or both in one text with a space between them. */
function checkMerges(merges: unknown): void {
  if (!Array.isArray(merges)) throw unusable('must be a list', 'model.merges');
  const isPair = (merge: unknown) =>
    Array.isArray(merge) && merge.length === 2 && merge.every(token => typeof token === 'string');
  // The library takes all for what the first one is.
  const isRight = Array.isArray(merges[0])
    ? isPair
    : (merge: unknown) => typeof merge === 'string' && merge.includes(' ');
  const at = merges.findIndex(merge => !isRight(merge));
  if (at >= 0) throw unusable('must be a pair of tokens, written as the first one is', `model.merges[${at}]`);
}

function checkStep(step: unknown, key: string, steps: string): void {
  if (step === null) return;
  if (!isObject(step) || typeof step.type !== 'string') throw unusable('must be an object with a "type"', key);
  if (step.type === 'Sequence') {
    const list = step[steps];
    if (!Array.isArray(list)) throw unusable('must be a list', `${key}.${steps}`);
    list.forEach((part: unknown, i) => checkStep(part ?? undefined, `${key}.${steps}[${i}]`, steps));
  }
  if (step.type === 'TemplateProcessing') checkTemplate(step, key);
  if (step.type === 'BertProcessing' || step.type === 'RobertaProcessing')
    for (const name of ['sep', 'cls'])
      if (!Array.isArray(step[name]) || !Number.isSafeInteger(step[name][1]))
        throw unusable('must be a token and its id', `${key}.${name}`);
  const { pattern, behavior = null } = step;
  if (behavior !== null && typeof behavior !== 'string') throw unusable('must be a text', `${key}.behavior`);
  const isPattern = isObject(pattern) && [pattern.Regex, pattern.String].some(text => typeof text === 'string');
  if ((step.type === 'Split' || step.type === 'Replace') && !isPattern)
    throw unusable('must have a text as "Regex" or "String"', `${key}.pattern`);
}

/** Special tokens before and after a text, by names whose ids are listed. */
function checkTemplate({ single, special_tokens: listed }: Record<string, unknown>, key: string): void {
  if (!Array.isArray(single) || !single.every(isObject)) throw unusable('must be a list of objects', `${key}.single`);
  for (const { SpecialToken: special } of single) {
    if (special === undefined) continue;
    const name = isObject(special) && typeof special.id === 'string' ? special.id : '';
    const entry = isObject(listed) && Object.hasOwn(listed, name) ? listed[name] : undefined;
    if (!isObject(entry) || !Array.isArray(entry.ids) || !entry.ids.every(Number.isSafeInteger))
      throw unusable(`has no ids of ${JSON.stringify(name)}, which "single" has`, `${key}.special_tokens`);
  }
}

/** An error of a file of the tokenizer that can't be used. */
export function unusable(message: string, key?: string, file = 'tokenizer.json'): InputError {
  return new InputError(message, { file, key, hint: `Use the ${file} that was saved with the model.` });
}
