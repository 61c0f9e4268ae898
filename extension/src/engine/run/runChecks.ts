// What a run asks for against what model, adapter and backend can do, told before anything is trained. Used by trainRun.ts.
import { InputError } from '../../core/inputError.js';
import type { EngineConfig } from '../../protocol/runConfig.js';
import type { Backend } from '../backend/backend.js';
import { planOfSaved, type SavedAdapter } from '../peft/adapterFiles.js';
import { promptIds, type ModelOnDisk } from './openModel.js';
import type { RunFile } from './readRunFile.js';
import type { Reporter } from './reporter.js';

/** @throws InputError where training can’t go on from this adapter */
export function checkInitFrom(saved: SavedAdapter, run: RunFile, { architecture }: ModelOnDisk): void {
  if (saved.method !== run.method)
    throw new InputError(
      `the adapter was trained with ${saved.method.peftType}, the run file says ${run.method.peftType}`,
      {
        where: `${run.path}: method.init_from`,
        hint: `Set method.peft_type to "${saved.method.peftType}".`,
      },
    );
  if (saved.method.toAdapterTensors && planOfSaved(saved, architecture, 'training').length !== saved.tensors.size)
    throw new InputError('such an adapter holds the output of its encoder only, so training can’t go on from it', {
      where: `${run.path}: method.init_from`,
      hint: 'Resume its run with --resume, or start anew without init_from.',
    });
}

/** Only TensorFlow can capture a step. @throws InputError where the run insists and it can't be */
export function compiles(compile: EngineConfig['compile'], backend: Backend): boolean {
  if (compile === true && backend.name !== 'tensorflow')
    throw new InputError(`the ${backend.name} backend can't capture a step`, {
      where: 'engine.compile',
      hint: 'Set engine.compile to "auto", or install TensorFlow by: tunewright engine install',
    });
  return compile !== false && backend.name === 'tensorflow';
}

/** max_length, or less where the model has fewer positions. */
export function fittingLength({ config, path }: RunFile, room: number, reporter: Reporter): number {
  const wanted = config.dataset.max_length;
  if (room < 1)
    throw new InputError('the virtual tokens alone fill the model’s positions', {
      where: `${path}: method.num_virtual_tokens`,
    });
  if (wanted <= room) return wanted;
  reporter.warn(
    'max_length_reduced',
    `max_length ${wanted} is more than the model has room for; sequences end at ${room} tokens`,
  );
  return room;
}

/** @throws InputError on a prompt that leaves no room for an answer, before the run begins */
export function checkPrompts({ config, path }: RunFile, { tokenizer }: ModelOnDisk, room: number): void {
  for (const [i, prompt] of config.samples.prompts.entries()) {
    const { length } = promptIds(tokenizer, prompt);
    if (length >= room)
      throw new InputError(`the prompt has ${length} tokens, the model has room for ${room}`, {
        where: `${path}: samples.prompts[${i}]`,
        hint: 'Shorten the prompt.',
      });
  }
}
