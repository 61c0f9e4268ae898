// The PEFT methods, by PEFT's `peft_type`. A new method is one file in this folder and one line here: forms, schemas,
// estimates, files and the contract test follow from it.
import { bottleneckAdapter } from './bottleneckAdapter.js';
import { full } from './full.js';
import { ia3 } from './ia3.js';
import { loha } from './loha.js';
import { lora } from './lora.js';
import type { PeftMethod } from './method.js';
import { prefixTuning } from './prefixTuning.js';
import { promptTuning } from './promptTuning.js';
import { pTuning } from './pTuning.js';
import { selective } from './selective.js';
import { vera } from './vera.js';

export const peftMethods: readonly PeftMethod[] = [
  lora,
  promptTuning,
  prefixTuning,
  pTuning,
  ia3,
  loha,
  vera,
  selective,
  bottleneckAdapter,
  full,
];

/** The method that trains and writes the complete model; others are compared with it. */
export const wholeModelMethod: PeftMethod = peftMethods.find(({ storage }) => storage === 'model')!;

export function peftMethod(peftType: string): PeftMethod | undefined {
  return peftMethods.find(method => method.peftType === peftType);
}
