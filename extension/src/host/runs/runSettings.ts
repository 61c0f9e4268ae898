// How the base of a run is held in memory: the settings of a session with it. Used by whatever asks the bases and results of runs.
import { block } from '../../core/runs/runFileKeys.js';
import { sessionOptionsSchema, type SessionSettings } from '../../protocol/sessionMessages.js';
import type { Run } from '../services.js';

/** Its base with its settings; null if run.json, which anyone may edit, has none that can be used. */
export function settingsOfRun({ config, folder }: Pick<Run, 'config' | 'folder'>): SessionSettings | null {
  const { model } = config as { model?: unknown };
  const { base_weights, precision, backend, threads } = block(config as Record<string, unknown>, 'engine');
  // A cluster only trains: its settings say nothing of this machine.
  if (backend === 'ray') return sessionOptionsSchema.safeParse({ model, folder }).data ?? null;
  return sessionOptionsSchema.safeParse({ model, folder, base_weights, precision, backend, threads }).data ?? null;
}
