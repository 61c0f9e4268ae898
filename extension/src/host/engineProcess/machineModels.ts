// The models that a run can be based on: the embedded one, and what `models list` finds on this machine. Asked by the
// Models view, the run panel and the quick picks.
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
  /** What to write as `model` in a run file. */
  id: string;
  description: string;
  /** Why it can't be trained, or null where it can. */
  reason: string | null;
  path: string | null;
}

export const embeddedModel: MachineModel = {
  id: 'embedded:tiny',
  description: 'comes with Tunewright',
  reason: null,
  path: null,
};

/** Without the embedded one. */
export async function machineModels(engine: EngineService): Promise<MachineModel[]> {
  const found = await engine.json<ListedModel[]>(['models', 'list']);
  return found.map(({ id, store, path, sizeBytes, modelType, reason }) => ({
    id,
    description: [modelType ?? 'unknown type', bytes(sizeBytes), store].join(' · '),
    reason,
    path,
  }));
}
