// All checks of evaluation suites. A new one is a file and a line here.
import type { CheckType } from './check.js';
import { contains } from './contains.js';
import { exact } from './exact.js';
import { json } from './json.js';
import { maxTokens } from './maxTokens.js';
import { notContains } from './notContains.js';
import { number } from './number.js';
import { oneOf } from './oneOf.js';
import { regex } from './regex.js';
import { rougeLCheck } from './rougeL.js';
import { toolCall } from './toolCall.js';

export const checkTypes: readonly CheckType[] = [
  exact,
  contains,
  notContains,
  regex,
  oneOf,
  number,
  json,
  toolCall,
  rougeLCheck,
  maxTokens,
];
