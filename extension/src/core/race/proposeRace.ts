// The race file that is proposed for what a user wants to compare: an entry for each method, with a grid of the options that it has.
// Pure; host/races/compareMethods.ts asks and writes the file.
import { block, peftTypeOf } from '../runs/runFileKeys.js';

type Json = Readonly<Record<string, unknown>>;

/** A method to compare. */
export interface ComparedMethod {
  peftType: string;
  title: string;
  /** What is proposed for it on this model: its options and its learning rate. */
  proposed: Json;
  /** Of its options, those that can be varied. */
  keys: readonly string[];
}

export interface Comparison {
  methods: readonly ComparedMethod[];
  /** Values by option, such as `r`: for each method that has it. */
  options: Readonly<Record<string, readonly unknown[]>>;
  /** Multiples of each method's own learning rate; of one value, it is changed for all. */
  rateFactors: readonly number[];
  seeds: number;
  /** null: as long as the run file says. */
  budget: Json | null;
}

/**
 * @param run the run file, for its own method and learning rate; without one, multiples are of the proposed rate
 * @param reference the run as the race file names it: a path, or the run itself
 */
export function proposeRace(
  name: string,
  { run, reference }: { run: Json; reference: string | Json },
  { methods, options, rateFactors, seeds, budget }: Comparison,
): Json {
  return {
    name,
    run: reference,
    vary: methods.map(method => {
      const isOwn = method.peftType === peftTypeOf(run);
      const ownRate = isOwn ? block(run, 'training')['learning_rate'] : undefined;
      const rate = ownRate ?? block(method.proposed, 'training')['learning_rate'];
      const varied = Object.entries(options).filter(([key, values]) => method.keys.includes(key) && values.length > 0);
      const rates = typeof rate === 'number' ? rateFactors.map(factor => Number((rate * factor).toPrecision(3))) : [];
      const grid = {
        ...Object.fromEntries(varied.map(([key, values]) => [`method.${key}`, values])),
        ...(rates.length > 0 && { 'training.learning_rate': rates }),
      };
      const own = Object.entries(isOwn ? {} : block(method.proposed, 'method'));
      const kept = own.filter(([key]) => !(`method.${key}` in grid));
      return {
        name: method.title,
        ...(kept.length > 0 && { method: Object.fromEntries(kept) }),
        ...(!isOwn && rates.length === 0 && rate !== undefined && { training: { learning_rate: rate } }),
        ...(Object.keys(grid).length > 0 && { grid }),
      };
    }),
    seeds: Array.from({ length: seeds }, (_, i) => i + 1),
    ...(budget && { budget }),
  };
}

/** `100 steps`, `20000 tokens`, `5 minutes`. @returns null if it is none */
export function parseBudget(text: string): Json | null {
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*(steps?|tokens?|min(?:utes?)?)\s*$/i.exec(text) ?? [];
  const value = Number(number);
  if (unit === undefined || value === 0) return null;
  if (/^min/i.test(unit)) return { minutes: value };
  return Number.isInteger(value) ? { [/^s/i.test(unit) ? 'max_steps' : 'tokens']: value } : null;
}
