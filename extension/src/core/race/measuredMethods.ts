// What races on a model and dataset have measured of each method, for the cards of the run panel. Pure.
import type { RaceFiles } from '../../protocol/raceMessages.js';
import { unlessWrong } from '../inputError.js';
import { bytes, duration, percent } from '../units.js';
import { entryFigures, type EntryFigures } from './raceFigures.js';
import { QUALITY_TEXT, spreadText } from './raceTable.js';
import { racedRuns } from './racedRuns.js';

/** The best entry of a method. */
export interface MeasuredMethod {
  /** Short: its validation loss. */
  loss: string;
  /** `validation loss 1.2300 ± 0.0100, 0.4% trained, 812 MB, 3:00 (LoRA r=4 in the race "methods")` */
  text: string;
}

/** By peft_type. Entries that haven't finished with all of their seeds are left out. */
export function measuredMethods(races: readonly RaceFiles[]): ReadonlyMap<string, MeasuredMethod> {
  const best = new Map<string, { entry: EntryFigures; race: string }>();
  for (const files of races) {
    const raced = unlessWrong(() => racedRuns(files, 'race.json'));
    for (const entry of raced ? entryFigures(raced.runs) : []) {
      const { peftType, loss, parameters, finished, runs } = entry;
      if (peftType === null || !loss || !parameters || finished < runs.length) continue;
      const other = best.get(peftType);
      if (!other || loss.mean < other.entry.loss!.mean) best.set(peftType, { entry, race: raced!.race.name });
    }
  }
  return new Map([...best].map(([peftType, { entry, race }]) => [peftType, measured(entry, race)]));
}

function measured({ name, runs, loss, memoryBytes, seconds }: EntryFigures, race: string): MeasuredMethod {
  const value = spreadText(loss, QUALITY_TEXT.loss);
  const { trainable_parameters: trained, total_parameters: total } = runs[0]!;
  const figures = [
    `validation loss ${value}`,
    `${percent(trained! / total!)} trained`,
    ...(memoryBytes ? [bytes(memoryBytes.max)] : []),
    ...(seconds ? [duration(seconds.mean)] : []),
  ];
  return { loss: value, text: `${figures.join(', ')} (${name} in the race “${race}”)` };
}
