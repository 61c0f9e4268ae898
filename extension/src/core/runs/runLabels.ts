import { fileName } from '../fileName.js';
import { textOf } from '../forms/formField.js';
// What tells runs of one name apart: when they started, and which options differ. For tabs, rows, quick picks and
// Compare. Pure.

export interface LabelledRun {
  /** Identifies the run. */
  folder: string;
  name: string;
  /** Milliseconds since 1970. */
  startedMs: number;
  /** Content of run.json. */
  config: object;
}

export interface Distinction {
  /** `28 Nov 14:05`, with seconds where two runs of the name started in the same minute. */
  time: string;
  /** Options by the names of the run file, such as `r 16`; at most MAX_DIFFERENCES. */
  differences: readonly string[];
}

const MAX_DIFFERENCES = 2;

/** By folder; runs whose name no other run has are left out. */
export function distinctions(runs: readonly LabelledRun[]): ReadonlyMap<string, Distinction> {
  const byName = new Map<string, LabelledRun[]>();
  for (const run of runs) {
    const same = byName.get(run.name);
    if (same) same.push(run);
    else byName.set(run.name, [run]);
  }
  return new Map([...byName.values()].filter(same => same.length > 1).flatMap(distinguished));
}

/** `pirate`, or `pirate (28 Nov 14:05, r 16)` where other runs have the same name. */
export function distinctName({ folder, name }: LabelledRun, known: ReadonlyMap<string, Distinction>): string {
  const distinction = known.get(folder);
  return distinction ? `${name} (${distinctionText(distinction)})` : name;
}

/** `28 Nov 14:05, r 16` */
export function distinctionText({ time, differences }: Distinction): string {
  return [time, ...differences].join(', ');
}

function distinguished(runs: readonly LabelledRun[]): [string, Distinction][] {
  const minutes = runs.map(({ startedMs }) => timeText(startedMs, MINUTES));
  const ofMinute = new Map<string, number>();
  for (const minute of minutes) ofMinute.set(minute, (ofMinute.get(minute) ?? 0) + 1);
  const options = runs.map(({ config }) => new Map(optionsOf(config)));
  const keys = [...new Set(options.flatMap(own => [...own.keys()]))];
  // An option that only some files name isn't a difference: the engine fills in defaults when a run starts.
  const differing = keys.filter(key => new Set(options.flatMap(own => own.get(key) ?? [])).size > 1);
  return runs.map(({ folder, startedMs }, i) => [
    folder,
    {
      time: ofMinute.get(minutes[i]!)! > 1 ? timeText(startedMs, SECONDS) : minutes[i]!,
      differences: differing.flatMap(key => optionText(key, options[i]!.get(key))).slice(0, MAX_DIFFERENCES),
    },
  ]);
}

const MINUTE: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' };
const MINUTES = new Intl.DateTimeFormat('en-GB', MINUTE);
const SECONDS = new Intl.DateTimeFormat('en-GB', { ...MINUTE, second: '2-digit' });

/** In local time. */
function timeText(ms: number, format: Intl.DateTimeFormat): string {
  return format.format(ms).replace(',', '');
}

/** Single values by their keys with dots, in the order of the file, without the name. */
function optionsOf(config: object, prefix = ''): [string, string][] {
  return Object.entries(config).flatMap(([key, value]): [string, string][] => {
    const path = prefix + key;
    if (path === 'name' || value === null) return [];
    if (typeof value === 'object' && !Array.isArray(value)) return optionsOf(value as object, `${path}.`);
    return [[path, Array.isArray(value) ? value.map(textOf).join(' ') : textOf(value)]];
  });
}

function optionText(key: string, value: string | undefined): string[] {
  if (value === undefined) return [];
  const shown = fileName(value);
  return [['model', 'dataset.train', 'method.peft_type'].includes(key) ? shown : `${key.split('.').at(-1)} ${shown}`];
}
