// How a type with more bits is chosen for an export, in words that the command which makes it accepts. Called by performExport.ts.
import { exportSchemas, type ExportEntry } from '../../protocol/exportConfig.js';
import { OutOfRangeError } from '../files/ggufQuantizers.js';
import { finerTypes } from './exportBounds.js';
import type { ExportSource } from './exportSource.js';
import { exportTarget } from './targets/registry.js';

interface Advised {
  source: ExportSource;
  entry: ExportEntry;
  /** Whether a run file lists it: then it is chosen by a command for this export alone. */
  isListed?: boolean;
}

/** `choose --type q8_0`, for a file with these types that has lost too much; null: there is none with more bits. */
export function finerAdvice(advised: Advised, types: Iterable<string>): string | null {
  const [coarsest, finer] = finerTypes(types);
  return chosen(advised, coarsest, finer);
}

/** The error with how a type is chosen that holds the value. */
export function withAdvice(error: unknown, advised: Advised): unknown {
  if (!(error instanceof OutOfRangeError)) return error;
  const advice = chosen(advised, error.type, ['BF16', 'F32']);
  const { hint, ...record } = error.record();
  return new OutOfRangeError(error.type, error.largest, { ...record, hint: advice ? sentence(advice) : hint });
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** @param current type that isn't enough @param others in the order of preference */
function chosen({ source, entry, isListed }: Advised, current: string, others: readonly string[]): string | null {
  const key = keyOf(source, entry, current);
  const values = others.map(type => (key === 'dtype' ? DTYPES[type] : type.toLowerCase()));
  const value = values.find(each => exportSchemas[entry.target].safeParse({ ...entry, [key]: each }).success);
  if (value === undefined) return null;
  const option = `--${key} ${value}`;
  if (!isListed) return `choose ${option}`;
  const [adapter] = source.adapters;
  const of = adapter ? `--adapter ${adapter.folder}` : `--model ${source.base.reference}`;
  return `run tunewright export ${of} --to ${exportTarget(entry.target).to} ${option}`;
}

const DTYPES: Readonly<Record<string, string>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** The key of the entry that decides the type of the tensors in question. */
function keyOf({ base, adapters }: ExportSource, entry: ExportEntry, current: string): 'dtype' | 'type' | 'touched' {
  if ('dtype' in entry && !('content' in entry && (entry.content ?? base.format) === 'gguf')) return 'dtype';
  const isOfTouched = 'touched' in entry && adapters.length > 0;
  if (isOfTouched && (entry.touched === null ? entry.type === 'own' : entry.touched === current.toLowerCase()))
    return 'touched';
  return 'type';
}
