// The answer calls a function.
import * as z from 'zod';
import { about } from '../../../protocol/about.js';
import { ToolCalls } from '../../text/toolCalls.js';
import { checkType, passedIf, type CheckedAnswer } from './check.js';

export const toolCall = checkType({
  type: 'tool_call',
  title: 'Tool call',
  description:
    'The answer calls this function, with exactly these arguments if they are given; other calls beside it don’t count. 1 and 1.0 are equal, the order of keys is none',
  schema: z.strictObject({
    name: z.string().min(1).meta(about('Name', 'Name of the function')),
    arguments: z
      .record(z.string(), z.unknown())
      .nullable()
      .default(null)
      .meta(about('Arguments', 'All arguments of the call; null: any')),
    allow_others: z
      .boolean()
      .default(false)
      .meta(about('Allow others', 'Also passes if the call has arguments besides these')),
  }),
  example: {
    options: { name: 'weather', arguments: { city: 'Paris' } },
    passes: { text: '', toolCalls: [{ name: 'weather', arguments: '{"city": "Paris"}' }], tokens: 12 },
    fails: { text: '', toolCalls: [{ name: 'weather', arguments: '{"city": "Rome"}' }], tokens: 12 },
  },
  prepare({ name, arguments: wanted, allow_others: allowOthers }) {
    return answer => {
      const calls = callsOf(answer, name);
      const named = calls.filter(call => call.name === name);
      if (named.length === 0)
        return passedIf(false, calls.length === 0 ? 'it calls no function' : `it calls ${calls[0]!.name}`);
      const isWanted = (text: string) => !wanted || hasArguments(JSON.parse(text), wanted, allowOthers);
      return passedIf(
        named.some(call => isWanted(call.arguments)),
        `it calls ${name} with ${named[0]!.arguments}`,
      );
    };
  },
});

/** Those that the session found; of a row without tools, those that the text has. */
function callsOf({ toolCalls, text }: CheckedAnswer, name: string): CheckedAnswer['toolCalls'] {
  if (toolCalls.length > 0) return toolCalls;
  const reader = new ToolCalls([{ type: 'function', function: { name } }]);
  reader.push(text);
  reader.end();
  return reader.calls;
}

function hasArguments(found: Record<string, unknown>, wanted: Record<string, unknown>, allowOthers: boolean): boolean {
  const has = (key: string) => Object.hasOwn(found, key) && isEqual(found[key], wanted[key]);
  return Object.keys(wanted).every(has) && (allowOthers || Object.keys(found).length === Object.keys(wanted).length);
}

/** Of JSON values. */
function isEqual(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [keys, others] = [Object.keys(a), Object.keys(b)];
  const at = (value: object, key: string) => (value as Record<string, unknown>)[key];
  return keys.length === others.length && keys.every(key => Object.hasOwn(b, key) && isEqual(at(a, key), at(b, key)));
}
