// What a run asks for against what model, adapter and backend can do, told before anything is trained. Used by prepareRun.ts.
import { InputError } from '../../core/inputError.js';
import type { EngineConfig } from '../../protocol/runConfig.js';
import type { Backend } from '../backend/backend.js';
import { promptIds } from '../generation/prompt.js';
import type { ModelOnDisk } from '../models/modelOnDisk.js';
import { usableLength, type AttachedMethod } from '../peft/attachedMethod.js';
import type { RunShape } from '../training/runShape.js';
import type { RunFile } from './readRunFile.js';
import type { Reporter } from './reporter.js';

/** Only TensorFlow can capture a step. @throws InputError where the run insists and it can't be */
export function compiles(compile: EngineConfig['compile'], backend: Backend): boolean {
  if (compile === true && backend.name !== 'tensorflow')
    throw new InputError(`the ${backend.name} backend can't capture a step`, {
      key: 'engine.compile',
      hint: 'Set engine.compile to "auto", or install TensorFlow by: tunewright engine install',
    });
  return compile !== false && backend.name === 'tensorflow';
}

/** Tells that rows end earlier than the run file says, where the model has no room for more. */
export function warnOfReducedLength(wanted: number, { maxLength }: RunShape, reporter: Reporter): void {
  if (maxLength < wanted)
    reporter.warn(
      'max_length_reduced',
      `max_length ${wanted} is more than the model has room for; sequences end at ${maxLength} tokens`,
    );
}

/** @throws InputError on a prompt that leaves no room for an answer, before the run begins */
export function checkPrompts(
  { config, path }: RunFile,
  { tokenizer, architecture }: ModelOnDisk,
  attached: AttachedMethod,
): void {
  const room = usableLength(architecture, attached);
  for (const [i, prompt] of config.samples.prompts.entries()) {
    const { length } = promptIds(tokenizer, prompt);
    if (length >= room)
      throw new InputError(`the prompt has ${length} tokens, the model has room for ${room}`, {
        file: path,
        key: `samples.prompts[${i}]`,
        hint: 'Shorten the prompt.',
      });
  }
}
