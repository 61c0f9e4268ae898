// The table of a race, as text: for the terminal, the report and the editor alike.
import { bytes, count, duration, percent } from '../units.js';
import { paretoFront, type EntryFigures, type Quality, type RunFigures, type Spread } from './raceFigures.js';

export const QUALITY_TITLES = { loss: 'Validation loss', score: 'Score' } as const;
export const COST_TITLES = {
  parameters: 'Trained parameters',
  memoryBytes: 'Peak memory',
  seconds: 'Training time',
} as const;

/** With as many decimals as in the events of a run on a terminal. */
export const QUALITY_TEXT: Record<Quality, (value: number) => string> = {
  loss: value => value.toFixed(4),
  score: percent,
};

export interface RaceTable {
  heading: string[];
  /** Indices of the columns with figures, which are aligned to the right. */
  figures: number[];
  rows: string[][];
}

/** A row for each entry. The score has a column if any entry has one. @param spread how figures over seeds are written */
export function raceTable(entries: readonly EntryFigures[], spread: typeof spreadText): RaceTable {
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
    spread(entry.parameters, count),
    spread(entry.loss, QUALITY_TEXT.loss),
    ...(hasScore ? [spread(entry.score, QUALITY_TEXT.score)] : []),
    spread(entry.memoryBytes, bytes),
    spread(entry.seconds, duration),
    seedsText(entry),
    front.includes(entry) ? 'yes' : '',
  ]);
  return { heading, figures: heading.map((_, i) => i).filter(i => i > 0 && i < heading.length - 2), rows };
}

/** `1.084 ± 0.012`; of equal values one. */
export function spreadText(spread: Spread | null, text: (value: number) => string): string {
  if (spread === null) return '–';
  const { mean, min, max, std } = spread;
  return std === null || min === max ? text(mean) : `${text(mean)} ± ${text(std)}`;
}

/** `1.084 ± 0.012 (1.072 to 1.096)` */
export function rangeText(spread: Spread | null, text: (value: number) => string): string {
  const isRange = spread !== null && spread.min !== spread.max;
  return spreadText(spread, text) + (isRange ? ` (${text(spread.min)} to ${text(spread.max)})` : '');
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
