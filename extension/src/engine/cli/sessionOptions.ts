// Options of the commands that keep one model in memory and answer with any of its adapters: `chat` and `serve`.
import type { Command } from 'commander';
import { openLastingSession, type LastingSession } from '../run/lastingSession.js';
import { namedAdapters } from '../serve/modelNames.js';
import {
  engineOf,
  weightsOf,
  withEngineOptions,
  withWeightOptions,
  type EngineFlags,
  type WeightFlags,
} from './engineOptions.js';
import { progressDisplay } from './progressDisplay.js';

export interface SessionFlags extends EngineFlags, WeightFlags {
  model: string;
  adapter?: string[];
}

export function withSessionOptions(command: Command): Command {
  command
    .requiredOption('--model <model>', 'folder, .gguf file, hub id or embedded:tiny')
    .option('--adapter <name=path...>', 'adapter folder or checkpoint, with the name that requests choose it by');
  return withWeightOptions(withEngineOptions(command));
}

/** Loads the model and the adapters, with progress. The caller disposes the session. */
export async function sessionOf(flags: SessionFlags): Promise<LastingSession> {
  const adapters = namedAdapters(flags.adapter ?? []);
  const progress = progressDisplay();
  try {
    const settings = { model: flags.model, folder: '.', ...engineOf(flags), ...weightsOf(flags) };
    return await openLastingSession(settings, adapters, progress);
  } finally {
    progress.finish();
  }
}
