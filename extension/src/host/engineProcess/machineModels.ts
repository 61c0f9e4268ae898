// The models that can be fine-tuned: the embedded one, and those that `models list` finds on this machine. Used by the
// Models view, the run panel and the quick picks.
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
}

export interface MachineModel {
  /** The value of `model` in a run file. */
  id: string;
  description: string;
  /** Why it can't be trained; null if it can. */
  reason: string | null;
  path: string | null;
}

export const EMBEDDED_MODEL: MachineModel = {
  id: EMBEDDED_MODEL_ID,
  description: 'comes with Tunewright',
  reason: null,
  path: null,
};

/** The models on this machine, without the embedded one. */
export async function machineModels(engine: EngineService): Promise<MachineModel[]> {
  const found = await engine.json<ListedModel[]>(['models', 'list']);
  return found.map(({ id, store, path, sizeBytes, modelType, reason }) => ({
    id,
    description: [modelType ?? 'unknown type', bytes(sizeBytes), store].join(' · '),
    reason,
    path,
  }));
}
