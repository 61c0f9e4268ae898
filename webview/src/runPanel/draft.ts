// The run file in the making, as the panel holds it: plain functions over JSON, no DOM. Keys at their default are left out.
import type { JsonSchema } from '../../../extension/src/core/forms/jsonSchema.js';
import type { LowRank } from '../../../extension/src/protocol/methodFacts.js';
import type { Draft, ModelChoice, ModelFacts } from '../../../extension/src/protocol/runPanelMessages.js';
import { lowRankParameters } from '../../../extension/src/core/metrics/lowRankParameters.js';

export type Block = Readonly<Record<string, unknown>>;

/** An object inside the draft; empty where it isn't written. */
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
 * The draft with another model: what was suggested for the one before goes with it, and what is suggested for this one comes
 * where nothing is written.
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
      // Options are of one method and no other.
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
  /** How its factors are drawn and counted; null: it has none. */
  lowRank: LowRank | null;
  /** Its options, peft_type left out. */
  schema: JsonSchema;
}

/** The methods that the run file's schema spells out, in its order. */
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

/** A name to start with: the dataset's and the method's. */
export function suggestedName(dataset: string, peftType: string): string {
  const file = dataset.split(/[\\/]/).at(-1) ?? '';
  const stem = file.split('.')[0] || 'run';
  return `${stem}-${peftType.toLowerCase().replaceAll('_', '-')}`;
}

/**
 * Parameters that low-rank factors have at this rank, from the model's shapes alone; null where the draft asks for more than
 * shapes tell (patterns, biases, some layers only). The engine's estimate comes later and has the last word.
 */
export function quickCount({ uncountable, pairs }: LowRank, method: Block, rank: number, facts: ModelFacts) {
  if ([...uncountable, 'init_from'].some(key => method[key] !== undefined && method[key] !== null)) return null;
  const targets = method['target_modules'] ?? facts.loraTargets;
  if (typeof targets === 'string' && targets !== 'all-linear') return null;
  const adapted = Array.isArray(targets) ? facts.matrices.filter(({ name }) => targets.includes(name)) : facts.matrices;
  return adapted.reduce((sum, matrix) => sum + matrix.count * lowRankParameters(matrix, rank, pairs).trained, 0);
}
