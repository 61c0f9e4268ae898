// The table of a race, as text: for the terminal, the report and the editor alike.
import { bytes, count, duration, percent } from '../units.js';
import { paretoFront, type EntryFigures, type Quality, type RunFigures, type Spread } from './raceFigures.js';

export const QUALITY_TITLES = { loss: 'Validation loss', score: 'Score' } as const;
export const COST_TITLES = {
  parameters: 'Trained parameters',
  memoryBytes: 'Peak memory',
  seconds: 'Training time',
} as const;
export const FORGETTING_TITLES = { divergence: 'KL from the base', generalLoss: 'General text loss' } as const;

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

interface Column {
  title: string;
  /** Left out if no entry has one. */
  optional?: true;
  of(entry: EntryFigures): Spread | null;
  text(value: number): string;
}

const COLUMNS: readonly Column[] = [
  { title: COST_TITLES.parameters, of: entry => entry.parameters, text: count },
  { title: QUALITY_TITLES.loss, of: entry => entry.loss, text: QUALITY_TEXT.loss },
  { title: QUALITY_TITLES.score, optional: true, of: entry => entry.score, text: QUALITY_TEXT.score },
  { title: COST_TITLES.memoryBytes, of: entry => entry.memoryBytes, text: bytes },
  { title: COST_TITLES.seconds, of: entry => entry.seconds, text: duration },
  { title: FORGETTING_TITLES.divergence, optional: true, of: entry => entry.divergence, text: QUALITY_TEXT.loss },
  { title: FORGETTING_TITLES.generalLoss, optional: true, of: entry => entry.generalLoss, text: QUALITY_TEXT.loss },
];

/** A row for each entry. @param spread how figures over seeds are written */
export function raceTable(entries: readonly EntryFigures[], spread: typeof spreadText): RaceTable {
  const columns = COLUMNS.filter(({ optional, of }) => !optional || entries.some(entry => of(entry) !== null));
  const front = paretoFront(entries, 'loss', 'parameters');
  const rows = entries.map(entry => [
    entry.name,
    ...columns.map(({ of, text }) => spread(of(entry), text)),
    seedsText(entry),
    front.includes(entry) ? 'yes' : '',
  ]);
  return {
    heading: ['Entry', ...columns.map(({ title }) => title), 'Seeds', 'On the front'],
    figures: columns.map((_, i) => i + 1),
    rows,
  };
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
export function seedsText({ runs, finished }: EntryFigures): string {
  if (finished === runs.length) return String(finished);
  const others = OTHER_STATES.flatMap(status => {
    const number = runs.filter(run => run.status === status).length;
    return number === 0 ? [] : [`${number} ${status}`];
  });
  return [`${finished} of ${runs.length}`, ...others].join(', ');
}

const OTHER_STATES: readonly RunFigures['status'][] = ['running', 'failed', 'interrupted', 'waiting'];
