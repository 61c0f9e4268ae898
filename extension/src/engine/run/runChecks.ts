// Checks a run against what model, adapter and backend support, before training. Used by prepareRun.ts.
import { InputError } from '../../core/inputError.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import { isFull, type Backend } from '../backend/backend.js';
import { promptIds } from '../generation/prompt.js';
import { usableLength, type AttachedMethod } from '../peft/attachedMethod.js';
import type { RunShape } from '../training/runShape.js';
import type { RunFile } from './readRunFile.js';
import type { Reporter } from './reporter.js';

/** @throws InputError if the run requires it on another backend */
export function compiles({ config, path }: RunFile, backend: Backend): boolean {
  const { compile } = config.engine;
  if (compile === true && !isFull(backend))
    throw new InputError(`the ${backend.name} backend can't capture a step`, {
      file: path,
      key: 'engine.compile',
      hint: 'Set engine.compile to "auto", or install TensorFlow: tunewright engine install',
    });
  return compile !== false && isFull(backend);
}

/** Why rows can't be as long as max_length; null if they can. */
export function lengthLimit(
  wanted: number,
  { maxLength, virtualTokens }: RunShape,
  { architecture, positionsTaken: taken }: AttachedMethod,
): string | null {
  if (maxLength >= wanted) return null;
  const positions = usableLength(architecture, null);
  const what = virtualTokens > 0 ? 'virtual tokens' : 'positions';
  return taken === 0
    ? `all of the model's ${positions} positions`
    : `what the method's ${taken} ${what} leave of the model's ${positions} positions`;
}

/** Warns if the model can't take rows as long as max_length. @param limit of `lengthLimit` */
export function warnOfReducedLength(
  wanted: number,
  { maxLength }: RunShape,
  limit: string | null,
  reporter: Reporter,
): void {
  if (limit)
    reporter.warn(
      'max_length_reduced',
      `max_length ${wanted} exceeds what the model supports; sequences are limited to ${maxLength} tokens, ${limit}`,
    );
}

/** @throws InputError for a prompt that leaves no room for an answer, or can't be tokenized */
export function checkPrompts({ config, path }: RunFile, tokenizer: TextTokenizer, attached: AttachedMethod): void {
  const { architecture } = attached;
  const room = usableLength(architecture, attached);
  for (const [i, prompt] of config.samples.prompts.entries()) {
    const { length } = promptIds(tokenizer, architecture.vocabSize, prompt);
    if (length >= room)
      throw new InputError(`the prompt has ${length} tokens, but the model only supports ${room}`, {
        file: path,
        key: `samples.prompts[${i}]`,
        hint: 'Shorten the prompt.',
      });
  }
}
