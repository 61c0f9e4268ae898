// What views know about a method of the registry (protocol/methodFacts.ts). Called by `describe` and by the run file's schema.
import { exportFormatSchema, type MethodFacts } from '../../protocol/methodFacts.js';
import type { PeftMethod } from '../peft/method.js';

export function methodFacts({ storage, merge, asLora, lowRank, learningRate }: PeftMethod): MethodFacts {
  return {
    writes: storage === 'model' ? 'model' : 'adapter',
    mergeable: merge !== undefined,
    // Both formats support only LoRA.
    exports: asLora ? [...exportFormatSchema.options] : [],
    low_rank: lowRank ? { ...lowRank, uncountable: [...lowRank.uncountable] } : null,
    learning_rate: learningRate,
  };
}
