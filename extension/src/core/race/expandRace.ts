// From a race file to the run files of its entries: variations and grids, seeds, budget. Pure; the engine checks each run file
// (engine/race/planRace.ts) and the editor lists the entries of a race that is being written.
import {
  MAX_ENTRY_NAME,
  MAX_RACE_RUNS,
  type RaceBudget,
  type RaceConfig,
  type RaceVariation,
} from '../../protocol/raceConfig.js';
import { trainingConfigSchema, type RunConfig } from '../../protocol/runConfig.js';
import { InputError } from '../inputError.js';
import { textOf } from '../forms/formField.js';
import { count } from '../units.js';

type Json = Record<string, unknown>;

/** One run of a race. */
export interface RaceEntry {
  name: string;
  seed: number;
  /** The run folder, relative to the race folder. */
  folder: string;
  /** The run file; paths as in the base. */
  run: Json;
  /** Where the race file says what this entry changes: a key of the run file (`method.r`) -> its key (`vary.0.method.r`). */
  places: ReadonlyMap<string, string>;
  /** The key of the entry in the race file: `vary.0`. */
  place: string;
}

/** The keys of `training` that say how long a run is. */
const DURATION_KEYS = ['max_steps', 'num_train_epochs', 'max_minutes'];
const BLOCKS = ['method', 'training'];

/**
 * All entries with all seeds, entry by entry. A budget in tokens is not applied: its steps depend on the rows.
 * @param base the content of a valid run file
 * @param file of the race, for messages
 * @throws InputError for more runs than a race can have, names or seeds that repeat, and keys that a race decides itself
 */
export function expandRace(race: RaceConfig, base: Json, file: string): RaceEntry[] {
  checkSize(race, file);
  const variations = race.vary.flatMap((variation, i) => combinations(variation, `vary.${i}`, file));
  const named = variations.map(variation => ({ ...variation, name: variation.name ?? nameOf(variation, base) }));
  checkNames(named, file);
  const seeds = race.seeds ?? [seedOf(base)];
  for (const [i, seed] of seeds.entries())
    if (seeds.indexOf(seed) !== i)
      throw new InputError(`the seed ${seed} is there twice`, {
        file,
        key: `seeds.${i}`,
        hint: 'A run that is repeated with the same seed gives the same result: use another seed.',
      });
  return named.flatMap(variation => {
    checkVariation(variation, race.budget, file);
    const run = variedRun(base, variation, file);
    return seeds.map(seed => ({
      name: variation.name,
      seed,
      folder: `runs/${folderName(variation.name)}-seed${seed}`,
      run: {
        ...run,
        name: `${variation.name}, seed ${seed}`,
        training: { ...(run['training'] as Json), ...durationOf(race.budget), seed },
      },
      places: variation.places,
      place: variation.place,
    }));
  });
}

/** Before they are made. */
function checkSize({ vary, seeds = [0] }: RaceConfig, file: string): void {
  const entriesOf = ({ grid = {} }: RaceVariation) => Object.values(grid).reduce((n, { length }) => n * length, 1);
  const runs = seeds.length * vary.reduce((sum, variation) => sum + entriesOf(variation), 0);
  if (runs > MAX_RACE_RUNS)
    throw new InputError(`the race has ${count(runs)} runs, and may have ${count(MAX_RACE_RUNS)}`, {
      file,
      key: 'vary',
      hint: 'A grid has a run for each combination of its values and each seed. Leave some out.',
    });
}

/** The error of a run that a race file has in it, with its keys there. */
export function inRaceFile(error: InputError): InputError {
  const { message, key, ...record } = error.record();
  // Further faults are on lines of their own, each with its key.
  return new InputError(message.replace(/\n {2}(?=[\w.]+: )/g, '\n  run.'), {
    ...record,
    key: key === undefined ? 'run' : `run.${key}`,
  });
}

/** @param block before the keys of the run: `run.` in a race file, else empty @throws InputError if the run holds no rows out */
export function requireHeldOut(run: Pick<RunConfig, 'dataset'>, file: string, block: string): void {
  if (run.dataset.validation === null)
    throw new InputError('a race compares the loss of rows that are held out, and this run holds none out', {
      file,
      key: `${block}dataset.validation`,
      hint: 'Set it to a file, or to a share of the training rows, such as 0.1.',
    });
}

/** What an entry changes, without its grid. */
interface Variation {
  name: string | undefined;
  place: string;
  /** By key of the run file, in the order of the race file. */
  changes: ReadonlyMap<string, unknown>;
  places: ReadonlyMap<string, string>;
}

/** The entry once for each combination of its grid. */
function combinations(variation: RaceVariation, place: string, file: string): Variation[] {
  const changes = new Map<string, unknown>();
  const places = new Map<string, string>();
  for (const block of ['method', 'training'] as const)
    for (const [key, value] of Object.entries(variation[block] ?? {})) {
      changes.set(`${block}.${key}`, value);
      places.set(`${block}.${key}`, `${place}.${block}.${key}`);
    }
  const grid = Object.entries(variation.grid ?? {});
  for (const [key] of grid) {
    const at = `${place}.grid.${key}`;
    const [block, ...rest] = key.split('.');
    if (!BLOCKS.includes(block!) || rest.length !== 1)
      throw new InputError('the keys of a grid are those of the blocks method and training', {
        file,
        key: at,
        hint: 'Such as "method.r" or "training.learning_rate".',
      });
    if (changes.has(key))
      throw new InputError(`this entry has ${key} outside of its grid, too`, {
        file,
        key: at,
        hint: 'Remove one of them.',
      });
    places.set(key, at);
  }
  // Each combination is made once: the time is linear in the number of keys. The last key varies fastest.
  const combined = grid.reduce((n, [, { length }]) => n * length, 1);
  return Array.from({ length: combined }, (_, index) => {
    let left = index;
    const chosen = grid
      .toReversed()
      .map(([key, values]) => {
        const value = values[left % values.length];
        left = Math.floor(left / values.length);
        return [key, value] as const;
      })
      .toReversed();
    return {
      name: variation.name && [variation.name, ...chosen.map(([key, value]) => shortText(key, value))].join(' '),
      place,
      changes: new Map([...changes, ...chosen]),
      places,
    };
  });
}

/** `LORA r=4 learning_rate=0.001`: the method, and what changes. */
function nameOf({ changes }: Variation, base: Json): string {
  const method = changes.get('method.peft_type') ?? (base['method'] as Json | undefined)?.['peft_type'];
  const others = [...changes].filter(([key]) => key !== 'method.peft_type');
  const text = [textOf(method), ...others.map(([key, value]) => shortText(key, value))].join(' ');
  return text.length <= MAX_ENTRY_NAME ? text : `${text.slice(0, MAX_ENTRY_NAME - 1)}…`;
}

function shortText(key: string, value: unknown): string {
  const text = Array.isArray(value)
    ? value.map(textOf).join('+')
    : typeof value === 'string'
      ? value
      : JSON.stringify(value);
  return `${key.slice(key.indexOf('.') + 1)}=${text}`;
}

function checkNames(variations: readonly { name: string; place: string }[], file: string): void {
  const seen = new Map<string, { name: string; place: string }>();
  for (const { name, place } of variations) {
    const folder = folderName(name).toLowerCase();
    const other = seen.get(folder);
    if (other)
      throw new InputError(
        other.name === name
          ? `${other.place} has the name "${name}", too`
          : `"${name}" and "${other.name}" of ${other.place} are too much alike to name folders`,
        { file, key: `${place}.name`, hint: 'Give each entry a name of its own.' },
      );
    seen.set(folder, { name, place });
  }
}

function checkVariation({ places }: Variation, budget: RaceBudget | undefined, file: string): void {
  const seed = places.get('training.seed');
  if (seed !== undefined)
    throw new InputError('the seeds of a race are in "seeds"', { file, key: seed, hint: 'Remove this key.' });
  for (const key of budget ? DURATION_KEYS : []) {
    const place = places.get(`training.${key}`);
    if (place !== undefined)
      throw new InputError(`with a budget, all entries train equally long, so none has its own ${key}`, {
        file,
        key: place,
        hint: 'Remove this key, or the budget.',
      });
  }
}

/** The run file with the changes, without seed and budget. */
function variedRun(base: Json, { changes, places, place }: Variation, file: string): Json {
  const own = (block: string) =>
    Object.fromEntries(
      [...changes].flatMap(([key, value]) =>
        key.startsWith(`${block}.`) ? [[key.slice(block.length + 1), value]] : [],
      ),
    );
  const before = blockOf(base, 'method');
  const method = own('method');
  const isOther = 'peft_type' in method && method['peft_type'] !== before['peft_type'];
  const merged: Json = isOther ? method : { ...before, ...method };
  if (
    merged['init_from'] != null &&
    !isOther &&
    Object.keys(method).some(key => !['peft_type', 'init_from'].includes(key))
  )
    throw new InputError('an adapter in init_from has its own options, which can’t be varied', {
      file,
      key: [...places].find(([key]) => key.startsWith('method.') && !key.endsWith('peft_type'))?.[1] ?? place,
      hint: 'Set "init_from" to null in this entry, or in the run file.',
    });
  return { ...base, method: merged, training: { ...blockOf(base, 'training'), ...own('training') } };
}

/** A block that isn't an object is left to the check of the run file. */
function blockOf(base: Json, block: string): Json {
  const value = base[block];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function seedOf(base: Json): number {
  return trainingConfigSchema.shape.seed.parse(blockOf(base, 'training')['seed']);
}

/** The keys of `training` that a budget sets; in minutes, a run with fewer epochs or steps still ends with them. */
function durationOf(budget: RaceBudget | undefined): Json {
  if (budget?.max_steps !== undefined) return stepsAsDuration(budget.max_steps);
  return budget?.minutes === undefined ? {} : { max_minutes: budget.minutes };
}

export function stepsAsDuration(steps: number): Json {
  return { max_steps: steps, max_minutes: null };
}

/** The name with what every file system allows; letters of all scripts are kept. */
export function folderName(name: string): string {
  return (
    name
      .normalize('NFC')
      .replace(/[^\p{L}\p{M}\p{N}._]+/gu, '-')
      .replace(/^[-.]+|[-.]+$/g, '') || 'entry'
  );
}
