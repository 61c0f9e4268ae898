// What the engine is doing, in words.
import { percent } from '../../../extension/src/core/units.js';

/** By the engine's names of phases. */
const PHASES: Readonly<Record<string, string>> = {
  start: 'Starting the engine',
  download: 'Downloading the model',
  load: 'Loading the model',
  tokenize: 'Reading the rows',
  answer: 'Answering the rows',
  write: 'Writing',
  compare: 'Comparing with the original',
  install: 'Installing',
  wait: 'Waiting for the hub',
  upload: 'Uploading',
};

/**
 * `Loading the model: 40%`
 * @param share 0 to 1; null: unknown
 * @param evaluating what is evaluated
 */
export function phaseText(phase: string, share: number | null, evaluating: string): string {
  const text = phase === 'evaluate' ? evaluating : (PHASES[phase] ?? phase);
  return share === null ? `${text}...` : `${text}: ${percent(share)}`;
}
