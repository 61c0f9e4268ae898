// The table of a race, as text: for the terminal, the report and the editor alike.
import { bytes, count, duration, figure, percent } from '../units.js';
import { paretoFront, type EntryFigures, type RunFigures, type Spread } from './raceFigures.js';

export const QUALITY_TITLES = { loss: 'Validation loss', score: 'Score' } as const;
export const COST_TITLES = {
  parameters: 'Trained parameters',
  memoryBytes: 'Peak memory',
  seconds: 'Training time',
} as const;

export interface RaceTable {
  heading: string[];
  /** Indices of the columns with figures, which are aligned to the right. */
  figures: number[];
  rows: string[][];
}

/** A row for each entry. The score has a column if any entry has one. */
export function raceTable(entries: readonly EntryFigures[]): RaceTable {
  const hasScore = entries.some(({ score }) => score !== null);
  const front = paretoFront(entries, 'loss', 'parameters');
  const heading = [
    'Entry',
    COST_TITLES.parameters,
    QUALITY_TITLES.loss,
    ...(hasScore ? [QUALITY_TITLES.score] : []),
    COST_TITLES.memoryBytes,
    COST_TITLES.seconds,
    'Seeds',
    'On the front',
  ];
  const rows = entries.map(entry => [
    entry.name,
    spreadText(entry.parameters, count),
    spreadText(entry.loss, figure),
    ...(hasScore ? [spreadText(entry.score, percent)] : []),
    spreadText(entry.memoryBytes, bytes),
    spreadText(entry.seconds, duration),
    seedsText(entry),
    front.includes(entry) ? 'yes' : '',
  ]);
  return { heading, figures: heading.map((_, i) => i).filter(i => i > 0 && i < heading.length - 2), rows };
}

/** `1.084 ± 0.012 (1.072 to 1.096)`; of equal values one. */
export function spreadText(spread: Spread | null, text: (value: number) => string): string {
  if (spread === null) return '–';
  const { mean, min, max, std } = spread;
  const [first, low, high] = [text(mean), text(min), text(max)];
  if (std === null || (low === first && high === first)) return first;
  return `${first} ± ${text(std)} (${low} to ${high})`;
}

/** `3`, or `1 of 3, 1 failed`. */
function seedsText({ runs, finished }: EntryFigures): string {
  if (finished === runs.length) return String(finished);
  const others = OTHER_STATES.flatMap(status => {
    const number = runs.filter(run => run.status === status).length;
    return number === 0 ? [] : [`${number} ${status}`];
  });
  return [`${finished} of ${runs.length}`, ...others].join(', ');
}

const OTHER_STATES: readonly RunFigures['status'][] = ['running', 'failed', 'interrupted', 'waiting'];
