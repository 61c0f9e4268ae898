// The panel's draft of a run file: functions on JSON, without DOM. Keys at their default are omitted.
import type { JsonSchema } from '../../../extension/src/core/forms/jsonSchema.js';
import type { LowRank } from '../../../extension/src/protocol/methodFacts.js';
import type { Draft, ModelChoice, ModelFacts } from '../../../extension/src/protocol/runPanelMessages.js';
import { lowRankParameters } from '../../../extension/src/core/metrics/lowRankParameters.js';

export type Block = Readonly<Record<string, unknown>>;

/** An object inside the draft; empty if the draft doesn't have it. */
export function block(draft: Draft, key: string): Block {
  const value = draft[key];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Block) : {};
}

export function withBlock(draft: Draft, key: string, value: Block): Draft {
  const { [key]: _, ...others } = draft;
  return Object.keys(value).length > 0 ? { ...others, [key]: value } : others;
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/**
 * The draft with another model: values suggested for the previous model are removed, and those suggested for this one
 * fill in missing keys.
 */
export function withModel(draft: Draft, model: string, choices: readonly ModelChoice[]): Draft {
  const suggestedFor = (id: unknown) => choices.find(choice => choice.id === id)?.suggested ?? {};
  const [before, next] = [suggestedFor(draft['model']), suggestedFor(model)];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(next)])];
  return keys.reduce<Draft>(
    (changed, key) => {
      const own = Object.entries(block(draft, key)).filter(
        ([name, value]) => name === 'peft_type' || before[key]?.[name] !== value,
      );
      // Suggested options apply to their own method only.
      const fits = next[key]?.['peft_type'] === block(draft, key)['peft_type'];
      return withBlock(changed, key, { ...(fits ? next[key] : {}), ...Object.fromEntries(own) });
    },
    { ...draft, model },
  );
}

export interface MethodChoice {
  peftType: string;
  title: string;
  summary: string;
  /** How to draw and count its factors; null: it has none. */
  lowRank: LowRank | null;
  /** Its options, without peft_type. */
  schema: JsonSchema;
}

/** The methods of the run file's schema, in its order. */
export function methodsOf(runFile: JsonSchema): MethodChoice[] {
  return (runFile.properties?.['method']?.oneOf ?? []).map(method => {
    const { peft_type: peftType, ...properties } = method.properties ?? {};
    return {
      peftType: text(peftType?.const),
      title: method.title ?? text(peftType?.const),
      summary: method.description ?? '',
      lowRank: method.facts?.low_rank ?? null,
      schema: { ...method, properties },
    };
  });
}

/** The default name of a run, from its dataset and its method. */
export function suggestedName(dataset: string, peftType: string): string {
  const file = dataset.split(/[\\/]/).at(-1) ?? '';
  const stem = file.split('.')[0] || 'run';
  return `${stem}-${peftType.toLowerCase().replaceAll('_', '-')}`;
}

/**
 * Number of parameters of the low-rank factors at this rank, from the model's shapes alone; null if the draft has
 * options that need more than shapes (patterns, biases, selected layers), which only the engine can count.
 */
export function quickCount({ uncountable, pairs }: LowRank, method: Block, rank: number, facts: ModelFacts) {
  if ([...uncountable, 'init_from'].some(key => method[key] !== undefined && method[key] !== null)) return null;
  const targets = method['target_modules'] ?? facts.loraTargets;
  if (typeof targets === 'string' && targets !== 'all-linear') return null;
  const adapted = Array.isArray(targets) ? facts.matrices.filter(({ name }) => targets.includes(name)) : facts.matrices;
  return adapted.reduce((sum, matrix) => sum + matrix.count * lowRankParameters(matrix, rank, pairs).trained, 0);
}
