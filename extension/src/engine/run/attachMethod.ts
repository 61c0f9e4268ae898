// Attaches the method of a run file to its model, with the config of the file or of the adapter from which the run is
// initialized. Called before rows are read, by training and by the estimate.
import { InputError } from '../../core/inputError.js';
import type { Architecture } from '../models/architecture.js';
import {
  checkAdapterTensors,
  openAdapter,
  planOfSaved,
  type OpenOptions,
  type SavedAdapter,
} from '../peft/adapterFiles.js';
import { AttachedMethod } from '../peft/attachedMethod.js';
import type { RunFile } from './readRunFile.js';

/**
 * @param options for opening the adapter
 * @returns `start`: the opened adapter of `init_from`, which the caller must close
 * @throws InputError if method, adapter and model don't fit together
 */
export function attachMethod(
  run: RunFile,
  architecture: Architecture,
  options: OpenOptions = {},
): { attached: AttachedMethod; start: SavedAdapter | null } {
  if (run.initFrom === null) {
    const attached = new AttachedMethod(run.method, run.methodConfig, architecture);
    attached.plan('training');
    return { attached, start: null };
  }
  const start = openAdapter(run.resolvePath(run.initFrom), architecture, options);
  try {
    checkStart(start, run);
    checkAdapterTensors(start, planOfSaved(start, 'training'));
  } catch (error) {
    start.close();
    throw error;
  }
  return { attached: start.attached, start };
}

/** @throws InputError if training can't continue from this adapter */
function checkStart(start: SavedAdapter, run: RunFile): void {
  const { method } = start.attached;
  if (method !== run.method)
    throw new InputError(`the adapter was trained with ${method.peftType}, the run file says ${run.method.peftType}`, {
      file: run.path,
      key: 'method.init_from',
      hint: `Set method.peft_type to "${method.peftType}".`,
    });
  if (method.toAdapterTensors && planOfSaved(start, 'training').length !== start.tensors.size)
    throw new InputError("the adapter contains only the output of its encoder, so training can't continue from it", {
      file: run.path,
      key: 'method.init_from',
      hint: 'Resume its run with --resume, or start a new one without init_from.',
    });
}
