// Attaches the method of a run file to its model, with the config of the file or of the adapter from which the run is
// initialized; called before rows are read, by training and by the estimate. Opens what a run has trained: its adapter, or
// one of its checkpoints.
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
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
import { isCheckpoint, openTrainable } from '../training/checkpoint.js';
import { readRunFile, type RunFile } from './readRunFile.js';
import { templateOf } from './runRows.js';

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
  const start = openStart(run, architecture, options);
  return { attached: start.attached, start };
}

/**
 * An adapter folder, or a checkpoint in its run's folder. The caller closes it.
 * @throws InputError if it is neither, is damaged, or was trained on another base
 */
export function openTrained(folder: string, architecture: Architecture, options: OpenOptions = {}): SavedAdapter {
  return isCheckpoint(folder)
    ? openCheckpoint(folder, architecture, options)
    : openAdapter(folder, architecture, options);
}

function openCheckpoint(folder: string, architecture: Architecture, options: OpenOptions): SavedAdapter {
  const configFile = join(dirname(dirname(resolve(folder))), 'run.json');
  if (!existsSync(configFile))
    throw new InputError('this checkpoint is not in the folder of its run, whose run.json says how it was trained', {
      file: folder,
      hint: 'Put it back into the checkpoints folder of that run.',
    });
  const run = readRunFile(configFile, 'refuse');
  const stored = openTrainable(folder);
  let start: SavedAdapter | null = null;
  const close = () => {
    stored.close();
    start?.close();
  };
  try {
    if (run.initFrom !== null) start = openStart(run, architecture, options);
    const { attached, embeddings, tokenizerFolder, chatTemplate } = start ?? {
      attached: new AttachedMethod(run.method, run.methodConfig, architecture),
      embeddings: new Set<string>(),
      tokenizerFolder: folder,
      chatTemplate: null,
    };
    const saved: SavedAdapter = {
      chatTemplate: templateOf(run) ?? chatTemplate,
      ...{ folder, tokenizerFolder, configFile, attached, embeddings, close, tensors: stored.tensors },
      purpose: 'training',
      baseModel: run.config.model,
      baseVocabulary: architecture.vocabSize,
    };
    const plan = planOfSaved(saved, 'training');
    const frozen = plan.flatMap(({ key, frozen: isFrozen }) => {
      const tensor = isFrozen && start?.tensors.get(key);
      return tensor ? [[key, tensor] as const] : [];
    });
    const complete = { ...saved, tensors: new Map([...frozen, ...stored.tensors]) };
    checkAdapterTensors(complete, plan);
    return complete;
  } catch (error) {
    close();
    throw error;
  }
}

/** The adapter of `init_from`, which the caller closes. */
function openStart(run: RunFile, architecture: Architecture, options: OpenOptions): SavedAdapter {
  const start = openTrained(run.resolvePath(run.initFrom!), architecture, options);
  try {
    checkStart(start, run);
    checkAdapterTensors(start, planOfSaved(start, 'training'));
    return start;
  } catch (error) {
    start.close();
    throw error;
  }
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
  if (
    method.toAdapterTensors &&
    start.purpose === 'inference' &&
    planOfSaved(start, 'training').length !== start.tensors.size
  )
    throw new InputError("the adapter contains only the output of its encoder, so training can't continue from it", {
      file: run.path,
      key: 'method.init_from',
      hint: 'Resume its run with --resume, or start a new one without init_from.',
    });
}
