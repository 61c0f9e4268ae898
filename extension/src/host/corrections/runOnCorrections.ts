// The run that teaches a result its corrections: the run that made it, continued from its adapter on the corrected rows; a new one
// on the model if there is no adapter. Called by corrections.ts.
import { basename, dirname, join } from 'node:path';
import { correctionTraining, MAX_CORRECTIONS } from '../../core/runs/correctionTraining.js';
import type { ProposedRun } from '../../core/runs/proposeRun.js';
import { block, peftTypeOf } from '../../core/runs/runFileKeys.js';
import { isObject, parseJson } from '../../core/data/formats/rowFields.js';
import { readText } from '../../system/regularFile.js';
import { proposal, type ProposalSources } from '../commands/runDraft.js';
import { readFirstRows } from '../datasets/firstRows.js';
import { furtherName, furtherRunFile } from '../runs/furtherRun.js';
import { resultOf } from '../runs/runResult.js';
import type { Run, RunService } from '../services.js';

/** What answered in the playground. */
export interface TrainedResult {
  /** Folder, file or ID. */
  model: string;
  /** Folder; null for a model by itself. */
  adapter: string | null;
  /** Folder of the run that made it. */
  run?: string;
}

/** @returns run file JSON with absolute paths */
export async function runOnCorrections(
  { model, adapter, run: folder }: TrainedResult,
  train: string,
  runs: Pick<RunService, 'runs' | 'get'>,
  sources: ProposalSources,
): Promise<object> {
  const all = runs.runs();
  const known = folder ? runs.get(folder) : all.find(run => adapter !== null && resultOf(run) === adapter);
  const peft_type =
    adapter === null ? sources.methods.first : known ? peftTypeOf(known.config) : peftTypeOfFolder(adapter);
  const proposed = await proposal({ model, train, peft_type }, sources);
  const names = all.map(({ name }) => name);
  const config = adapter === null ? proposed : continued(proposed, adapter, known, names);
  const rows = await readFirstRows(train);
  if (rows.length > MAX_CORRECTIONS) return config;
  const training = block(config, 'training');
  const rate = typeof training['learning_rate'] === 'number' ? training['learning_rate'] : undefined;
  return {
    ...config,
    dataset: { ...block(config, 'dataset'), validation: null },
    training: { ...training, ...correctionTraining(model, rate) },
  };
}

/** As the run that made the adapter, if it is known; its dataset is another one, which may have another format. */
function continued(proposed: ProposedRun, adapter: string, known: Run | undefined, names: readonly string[]) {
  const name = furtherName(known?.name ?? nameOf(adapter), names);
  if (!known) {
    const { peft_type } = proposed.method;
    return { ...proposed, name, method: { peft_type, init_from: adapter } };
  }
  const further = furtherRunFile(known, adapter, name);
  const { format: _, columns: __, on_change: ___, validation, ...reading } = further.dataset;
  const held = typeof validation === 'number' ? { validation } : {};
  return {
    ...further,
    dataset: { ...reading, ...held, train: proposed.dataset.train },
    ...(proposed.samples && { samples: { ...block(further, 'samples'), ...proposed.samples } }),
  };
}

/** Of an adapter that no run of this workspace made: its folder, or the one around `adapter`. */
function nameOf(adapter: string): string {
  return basename(adapter) === 'adapter' ? basename(dirname(adapter)) : basename(adapter);
}

function peftTypeOfFolder(adapter: string): string {
  const config = parseJson(readText(join(adapter, 'adapter_config.json')) ?? '');
  if (isObject(config) && typeof config['peft_type'] === 'string') return config['peft_type'];
  throw new Error(`${adapter} has no adapter_config.json with a peft_type, so training can’t continue from it.`);
}
