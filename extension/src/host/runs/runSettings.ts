// How the base of a run is held in memory: the settings of a session with it. Used by whatever asks the bases and results of runs.
import { block } from '../../core/runs/runFileKeys.js';
import { sessionOptionsSchema, type SessionSettings } from '../../protocol/sessionMessages.js';
import { engineConfigSchema } from '../../protocol/engineConfig.js';
import type { Device, Run } from '../services.js';

const deviceSchema = engineConfigSchema.pick({ backend: true, adapter: true }).strip();

/** Its base with its settings; null if run.json, which anyone may edit, has none that can be used. */
export function settingsOfRun({ config, folder }: Pick<Run, 'config' | 'folder'>): SessionSettings | null {
  const { model } = config as { model?: unknown };
  const { base_weights, precision, backend, adapter, threads } = block(config as Record<string, unknown>, 'engine');
  // A cluster only trains: its settings say nothing of this machine.
  if (backend === 'ray') return sessionOptionsSchema.safeParse({ model, folder }).data ?? null;
  const settings = { model, folder, base_weights, precision, backend, adapter, threads };
  return sessionOptionsSchema.safeParse(settings).data ?? null;
}

/** The device that a run file or run.json names; the default if it names none that there is, which the engine refuses. */
export function deviceOf(config: object): Device {
  const engine = block(config as Record<string, unknown>, 'engine');
  return deviceSchema.safeParse(engine).data ?? deviceSchema.parse({});
}
