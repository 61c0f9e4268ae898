// The report of a race: Markdown with its pictures, and CSV with a line for each run. Pure; engine/race/writeReport.ts writes the files.
import type { RaceConfig } from '../../protocol/raceConfig.js';
import { plain } from '../markdownText.js';
import { bytes, count, counted, duration, percent } from '../units.js';
import { fileName } from '../fileName.js';
import { paretoChart } from './paretoChart.js';
import {
  chooseEntry,
  COSTS,
  entryFigures,
  paretoFront,
  type EntryFigures,
  type Quality,
  type RaceLimits,
  type RunFigures,
} from './raceFigures.js';
import {
  COST_TITLES,
  FORGETTING_TITLES,
  QUALITY_TEXT,
  QUALITY_TITLES,
  raceTable,
  rangeText,
  seedsText,
  spreadText,
} from './raceTable.js';
import { textOf } from '../forms/formField.js';

/** Files of a report: name -> content. */
export type ReportFiles = ReadonlyMap<string, string>;

export interface RaceReport {
  race: RaceConfig & { run: Record<string, unknown> };
  /** `run` relative to the folder of the report. */
  runs: readonly RunFigures[];
  limits: RaceLimits;
  /** Score of the base without training; null without a suite. */
  baseScore: number | null;
}

export function raceReport({ race, runs, limits, baseScore }: RaceReport): ReportFiles {
  const entries = entryFigures(runs);
  const pictures = new Map<string, { title: string; svg: string }>();
  for (const quality of ['loss', 'score'] as const)
    for (const cost of COSTS) {
      const svg = paretoChart(entries, { quality, cost, standalone: true });
      const title = `${QUALITY_TITLES[quality]} against ${COST_TITLES[cost].toLowerCase()}`;
      if (svg !== null) pictures.set(`${quality}-${FILE_NAMES[cost]}.svg`, { title, svg });
    }
  const failed = runs.filter(({ status }) => status === 'failed');
  const text = [
    `# ${plain(race.name)}`,
    plain(settingsText(race)),
    markdownTable(entries),
    'Figures are means over seeds ± the standard deviation, and in brackets the lowest and the highest. The standard deviation is ' +
      'that of a sample: sqrt(sum((x − mean)²) / (n − 1)). An entry is on the front if no other one has at most its validation ' +
      'loss with at most its trained parameters, and less of one of them. Peak memory is the most that the run’s process had ' +
      'in memory at once, the program itself included. Training time is that of the steps, without loading and evaluation.' +
      (entries.some(({ divergence }) => divergence !== null) ? FORGETTING_TEXT : ''),
    plain(choiceText(entries, limits)),
    ...(baseScore === null ? [] : [`Without training, the base scores ${percent(baseScore)}.`]),
    ...[...pictures].map(([name, { title }]) => `![${title}](${name})`),
    ...frontTexts(entries),
    ...(failed.length === 0
      ? []
      : ['## Failed', failed.map(run => `- ${plain(run.name)}, seed ${run.seed}: ${plain(run.failure!)}`).join('\n')]),
    '## Again',
    'Each run is an ordinary run folder in `runs`, with its run file, events and adapter; `runs.csv` has their figures. ' +
      '`tunewright race race.json --out FOLDER` repeats the race, `tunewright race --report .` writes this report again.',
  ];
  return new Map([
    ['report.md', `${text.join('\n\n')}\n`],
    ['runs.csv', raceCsv(runs)],
    ...[...pictures].map(([name, { svg }]) => [name, svg] as const),
  ]);
}

const FORGETTING_TEXT =
  ` ${FORGETTING_TITLES.divergence} and ${FORGETTING_TITLES.generalLoss.toLowerCase()} are those of the weights that the ` +
  'validation loss is of, on texts that have nothing to do with the training, in nats per token: how much of what the base ' +
  'does was forgotten.';

const FILE_NAMES = { parameters: 'parameters', memoryBytes: 'memory', seconds: 'time' } as const;

/** Model, rows, seeds and budget of all entries. */
export function settingsText({ run, seeds, budget }: RaceReport['race']): string {
  const { train, validation } = run['dataset'] as { train: string; validation: string | number };
  const heldOut = typeof validation === 'number' ? `${percent(validation)} of its rows` : fileName(validation);
  return [
    `Model ${textOf(run['model'])}, trained on ${fileName(train)}, validation loss on ${heldOut}`,
    seeds ? `seeds ${seeds.join(', ')}` : 'the seed of the run file',
    `${budgetText(budget)}.`,
  ].join('; ');
}

function budgetText(budget: RaceConfig['budget']): string {
  if (budget?.max_steps !== undefined) return `${counted(budget.max_steps, 'step')} each`;
  if (budget?.tokens !== undefined) return `${counted(budget.tokens, 'token')} each`;
  if (budget?.minutes !== undefined) return `at most ${budget.minutes} min of training each`;
  return 'each as long as its run file says';
}

function markdownTable(entries: readonly EntryFigures[]): string {
  const { heading, figures, rows } = raceTable(entries, rangeText);
  const line = (cells: readonly string[]) => `| ${cells.map(plain).join(' | ')} |`;
  return [line(heading), line(heading.map((_, i) => (figures.includes(i) ? '---:' : '---'))), ...rows.map(line)].join(
    '\n',
  );
}

/** `The best under 1.0 GB and 10:00: LORA r=4, ...`, or that there is none. */
export function choiceText(entries: readonly EntryFigures[], limits: RaceLimits): string {
  const choice = chooseEntry(entries, limits);
  const under = [
    ...(limits.memoryBytes === null ? [] : [bytes(limits.memoryBytes)]),
    ...(limits.seconds === null ? [] : [duration(limits.seconds)]),
  ].join(' and ');
  const best = under ? `The best under ${under}` : 'The best';
  if (!choice) return under ? `No entry stays under ${under} with all of its seeds.` : 'No entry has finished.';
  const { chosen, by, asGood } = choice;
  const value = spreadText(chosen[by], QUALITY_TEXT[by]);
  const others = asGood.map(entry => `${entry.name} (${count(entry.parameters.mean)})`);
  return [
    `${best}: ${chosen.name}, ${QUALITY_TITLES[by].toLowerCase()} ${value}, ${count(chosen.parameters.mean)} trained parameters.`,
    ...(others.length === 0
      ? []
      : [`No difference shown over these seeds, with fewer trained parameters: ${others.join(', ')}.`]),
    ...(chosen.finished < chosen.runs.length ? [`Its finished seeds: ${seedsText(chosen)}.`] : []),
    ...(chosen.runs.length === 1 ? ['With one seed each, small differences may be chance.'] : []),
  ].join(' ');
}

function frontTexts(entries: readonly EntryFigures[]): string[] {
  const texts = (['loss', 'score'] as Quality[]).flatMap(quality =>
    COSTS.flatMap(cost => {
      const names = paretoFront(entries, quality, cost).map(({ name }) => plain(name));
      const against = `${QUALITY_TITLES[quality]} against ${COST_TITLES[cost].toLowerCase()}`;
      return names.length === 0 ? [] : [`- ${against}: ${names.join(', ')}`];
    }),
  );
  return texts.length === 0 ? [] : ['## On the fronts', texts.join('\n')];
}
export const CSV_COLUMNS = [
  'name',
  'seed',
  'status',
  'peft_type',
  'trainable_parameters',
  'validation_loss',
  'score',
  'peak_rss_bytes',
  'train_seconds',
  'kl_from_base',
  'general_loss',
  'steps',
  'run',
  'failure',
] as const satisfies readonly (keyof RunFigures)[];

/** RFC 4180, with LF. A figure that a run doesn't have is empty. */
export function raceCsv(runs: readonly RunFigures[]): string {
  const cell = (value: string | number | null) => {
    const content = value === null ? '' : String(value);
    return /[",\r\n]/.test(content) ? `"${content.replaceAll('"', '""')}"` : content;
  };
  const lines = [CSV_COLUMNS, ...runs.map(run => CSV_COLUMNS.map(column => run[column]))];
  return lines.map(line => `${line.map(cell).join(',')}\n`).join('');
}
