// Opens a session: the base model, checked against free memory before its weights are read, and adapters from folders. Used by
// `session`.
import { isFull } from '../backend/backend.js';
import { InputError } from '../../core/inputError.js';
import { bytes } from '../../core/units.js';
import type { EngineConfig } from '../../protocol/engineConfig.js';
import type { SessionSettings } from '../../protocol/sessionMessages.js';
import { inferenceBytes } from '../estimate/estimateRun.js';
import { CACHE_BYTES } from '../generation/scheduler.js';
import { Session } from '../generation/session.js';
import { availableMemoryBytes } from '../machine/processMemory.js';
import { usablePositions } from '../models/rotaryTables.js';
import { openTrained } from './attachMethod.js';
import { checkDeviceFits } from './deviceFit.js';
import { layoutsOf, loadOnto, openModelFiles } from './openModel.js';
import { OwnedResources } from './ownedResources.js';
import { openDevice } from './openDevice.js';
import type { Reporter } from './reporter.js';
import { usableWeights } from './weightSettings.js';

export interface NamedAdapter {
  name: string;
  path: string;
}

/** Parts of the memory that is free beside the weights: for keys and values kept for follow-ups, and of answers under way. */
const KEPT_SHARE = 1 / 8;
const OPEN_SHARE = 1 / 2;

/** Tokens of the conversation that must fit into memory. */
const EXPECTED_TOKENS = 2048;

/**
 * The session closes everything that this opened.
 * @throws InputError if the model or an adapter can't be used, or the model doesn't fit into memory
 */
export async function openSession(
  settings: SessionSettings & Partial<Pick<EngineConfig, 'adapter'>>,
  adapters: readonly NamedAdapter[],
  reporter: Reporter,
): Promise<Session> {
  const owned = new OwnedResources();
  try {
    return await open(settings, adapters, reporter, owned);
  } catch (error) {
    owned.dispose();
    throw error;
  }
}

async function open(
  settings: SessionSettings & Partial<Pick<EngineConfig, 'adapter'>>,
  adapters: readonly NamedAdapter[],
  reporter: Reporter,
  owned: OwnedResources,
): Promise<Session> {
  const base = await openModelFiles(settings.model, settings.folder, reporter);
  owned.own(base.files, files => files.close());
  const opened = adapters.map(({ name, path }) => {
    const saved = openTrained(path, base.architecture, { files: base.files, onWarning: reporter.warn });
    return { name, saved: owned.own(saved, opened => opened.close()) };
  });
  const backend = await openDevice(base.files, settings, reporter);
  const weights = await usableWeights(settings, { ...settings, backend, method: null, reporter });
  const { architecture } = base;
  const layouts = layoutsOf(base, weights);
  checkDeviceFits({ layouts, trained: [] }, backend, settings.model);
  checkFits(
    inferenceBytes({ architecture, layouts }, Math.min(EXPECTED_TOKENS, usablePositions(architecture))),
    settings,
  );
  const { model } = loadOnto(backend, base, reporter, { settings: weights, transposed: true });
  owned.own(model, opened => opened.dispose());
  const free = availableMemoryBytes();
  const session = new Session({
    onDisk: base,
    model,
    compile: isFull(backend),
    cacheBytes: Math.min(CACHE_BYTES, KEPT_SHARE * free),
    openBytes: OPEN_SHARE * free,
    onWarning: reporter.warn,
    openAdapter: openTrained,
    onDispose: () => owned.dispose(),
  });
  for (const { name, saved } of opened) await session.load(name, saved);
  return session;
}

/** @throws InputError if the model needs more memory than is free */
function checkFits(needed: number, { model, base_weights: baseWeights }: SessionSettings): void {
  const available = availableMemoryBytes();
  if (needed <= available) return;
  throw new InputError(`needs about ${bytes(needed)} of memory, but only ${bytes(available)} is free`, {
    code: 'out_of_memory',
    file: model,
    hint:
      baseWeights === 'int4'
        ? 'Use a smaller model, or close other programs.'
        : `Set base_weights to "${baseWeights === 'int8' ? 'int4' : 'int8" or "int4'}", or use a smaller model.`,
  });
}
