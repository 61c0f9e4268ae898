// The panel's draft of a run file: functions on JSON, without DOM. Keys at their default are omitted.
import type { JsonSchema } from '../../../extension/src/core/forms/jsonSchema.js';
import type { LowRank } from '../../../extension/src/protocol/methodFacts.js';
import type { Draft, ModelFacts } from '../../../extension/src/protocol/runPanelMessages.js';
import { lowRankParameters } from '../../../extension/src/core/metrics/lowRankParameters.js';

export type Block = Readonly<Record<string, unknown>>;

export function withBlock(draft: Draft, key: string, value: Block): Draft {
  const { [key]: _, ...others } = draft;
  return Object.keys(value).length > 0 ? { ...others, [key]: value } : others;
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
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
