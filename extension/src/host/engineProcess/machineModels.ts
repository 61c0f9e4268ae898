// The models that can be fine-tuned: the embedded one, and those that `models list` finds on this machine. Used by the
// Models view, the run panel and the quick picks.
import { basename, dirname, isAbsolute } from 'node:path';
import { EMBEDDED_MODEL_ID } from '../../core/runs/proposeRun.js';
import { bytes } from '../../core/units.js';
import type { EngineService } from '../services.js';

/** An entry of `models list --json`. */
interface ListedModel {
  id: string;
  store: string;
  path: string;
  sizeBytes: number;
  modelType: string | null;
  reason: string | null;
  base: string | null;
}

export interface MachineModel {
  /** The value of `model` in a run file. */
  id: string;
  /** How it is shown. */
  label: string;
  description: string;
  /** Why it can't be trained; null if it can. */
  reason: string | null;
  path: string | null;
}

export const EMBEDDED_MODEL: MachineModel = {
  id: EMBEDDED_MODEL_ID,
  label: EMBEDDED_MODEL_ID,
  description: 'comes with Tunewright',
  reason: null,
  path: null,
};

/** Of a path its folder; that of a run's result is the run. */
function shortName(model: string): string {
  if (!isAbsolute(model)) return model;
  const name = basename(model);
  return name === 'model' ? basename(dirname(model)) : name;
}

/** @param folders models besides those in the stores. @returns the models on this machine, without the embedded one */
export async function machineModels(engine: EngineService, folders: readonly string[]): Promise<MachineModel[]> {
  const found = await engine.json<ListedModel[]>([
    'models',
    'list',
    ...(folders.length > 0 ? ['--folder', ...folders] : []),
  ]);
  return found.map(({ id, store, path, sizeBytes, modelType, reason, base }) => ({
    id,
    label: id,
    description: [
      base === null ? '' : `made from ${shortName(base)}`,
      modelType ?? 'unknown type',
      bytes(sizeBytes),
      store === 'folder' ? '' : store,
    ]
      .filter(Boolean)
      .join(' · '),
    reason,
    path,
  }));
}
