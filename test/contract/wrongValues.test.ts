// Every key of the run file, and of every method, with values that it does not take: the error names the key and the file, and says
// in words what is allowed. A key of a new schema is tested without a change here.
import { describe, expect, it, test } from 'vitest';
import { InputError } from '../../extension/src/core/inputError.js';
import { inputJsonSchema } from '../../extension/src/core/forms/zodSchema.js';
import { alternatives, type JsonSchema } from '../../extension/src/core/forms/jsonSchema.js';
import { runConfigSchema } from '../../extension/src/protocol/runConfig.js';
import { peftMethods } from '../../extension/src/engine/peft/registry.js';
import { parseRun } from '../../extension/src/engine/run/readRunFile.js';

const VALUES = [null, true, 0, -1, 1.5, 1e12, Infinity, '', 'nonsense', [], [''], [-1], {}, { a: [] }] as const;
const FILE = '/runs/x.json';
const minimal = { model: 'm', dataset: { train: 'd.jsonl' }, method: { peft_type: 'LORA' } };

/** A key with the blocks above it, and its schema. */
interface Key {
  path: string;
  schema: JsonSchema;
  /** A run file with this value. */
  run(value: unknown): Record<string, unknown>;
}

function keysOf({ properties = {} }: JsonSchema, block: string | null, run: (own: object) => object): Key[] {
  return Object.entries(properties).map(([name, schema]) => ({
    path: [block, name].filter(Boolean).join('.'),
    schema,
    run: value => run({ [name]: value }) as Record<string, unknown>,
  }));
}

const file = inputJsonSchema(runConfigSchema).properties!;
const blocks = ['dataset', 'training', 'samples', 'engine'];
const keys = [
  ...keysOf({ properties: file }, null, own => ({ ...minimal, ...own })),
  ...blocks.flatMap(block =>
    keysOf(file[block]!, block, own => ({
      ...minimal,
      [block]: { ...(block === 'dataset' && minimal.dataset), ...own },
    })),
  ),
  ...keysOf(file['method']!, 'method', own => ({ ...minimal, method: { ...minimal.method, ...own } })),
];
const ofMethods = peftMethods.flatMap(({ peftType, schema }) =>
  keysOf(inputJsonSchema(schema), 'method', own => ({ ...minimal, method: { peft_type: peftType, ...own } })).map(
    key => [`${peftType} ${key.path}`, key] as const,
  ),
);

function errorOf(run: Record<string, unknown>): InputError | null {
  try {
    parseRun(run, FILE);
    return null;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error;
  }
}

describe('a key with a value that it does not take', () => {
  it.each([...keys.map(key => [key.path, key] as const), ...ofMethods])('%s', (_, { path, schema, run }) => {
    const errors = VALUES.flatMap(value => errorOf(run(value)) ?? []);
    expect(errors.length, 'the key takes anything').toBeGreaterThan(0);
    for (const error of errors) {
      const { key, file: named, message, hint } = error.record();
      const shown = error.describe();
      expect(named, shown).toBe(FILE);
      // An item of a list, a value of a table or a key of a block is below it.
      expect(`${key}.`.startsWith(`${path}.`), shown).toBe(true);
      expect(message, shown).toMatch(/^(must be .+, not .+|is missing; must be .+|unknown (key|method) .+)/s);
      expect(shown, 'words of zod').not.toMatch(/invalid (input|option)|expected|received|too (small|big)|>=?\d/i);
      if (key !== path || !message.startsWith('must be')) continue;
      // Every alternative is named, and each of the values of an enumeration.
      for (const { type, enum: values, const: value } of alternatives(schema))
        for (const each of values ?? (value !== undefined ? [value] : type === 'null' ? [null] : []))
          expect(message, shown).toContain(JSON.stringify(each));
      if (schema.description) expect(hint, shown).toBe(`${schema.description}.`);
    }
  });
});

test.each<[string, Record<string, unknown>, string, string]>([
  ['', { model: 'm', method: minimal.method }, 'dataset', 'is missing; must be an object'],
  ['dataset', { dataset: {} }, 'dataset.train', 'is missing; must be non-empty text'],
  [
    'a union',
    { dataset: { train: 'd', validation: 1.5 } },
    'dataset.validation',
    'must be non-empty text or a number above 0 and below 1 or null, not 1.5',
  ],
  [
    'an enumeration',
    { dataset: { train: 'd', train_on: 'answers' } },
    'dataset.train_on',
    'must be "completions" or "all", not "answers"',
  ],
  [
    'a range',
    { method: { peft_type: 'LORA', r: 1e9 } },
    'method.r',
    'must be a whole number from 1 to 65536, not 1000000000',
  ],
  ...[
    [{ engine: { threads: 1e9 } }, 'engine.threads', 'a whole number from 1 to 1024 or null, not 1000000000'],
    [{ training: { max_steps: 1e15 } }, 'training.max_steps', 'a whole number up to 1000000000, not 1000000000000000'],
    [
      { training: { num_train_epochs: 1e300 } },
      'training.num_train_epochs',
      'a number above 0 and up to 100000, not 1e+300',
    ],
    [
      { method: { peft_type: 'LOHA', rank_pattern: { q_proj: 1e15 } } },
      'method.rank_pattern.q_proj',
      'a whole number from 1 to 65536, not 1000000000000000',
    ],
  ].map(([changes, key, message]): [string, Record<string, unknown>, string, string] => [
    'what no machine has room or time for',
    changes as Record<string, unknown>,
    key as string,
    `must be ${String(message)}`,
  ]),
  ['half a range', { training: { seed: -1 } }, 'training.seed', 'must be a whole number of at least 0, not -1'],
  [
    '1e999',
    { training: { learning_rate: Infinity } },
    'training.learning_rate',
    'must be a number above 0, not Infinity',
  ],
  ['an item', { samples: { prompts: ['a', 7] } }, 'samples.prompts.1', 'must be non-empty text, not 7'],
  [
    'a value of a table',
    { method: { peft_type: 'LORA', rank_pattern: { q_proj: 'x' } } },
    'method.rank_pattern.q_proj',
    'must be a whole number from 1 to 65536, not "x"',
  ],
  [
    'a table',
    { method: { peft_type: 'LORA', rank_pattern: 4 } },
    'method.rank_pattern',
    'must be an object whose values are a whole number from 1 to 65536, not 4',
  ],
  ['a yes or no', { training: { shuffle: 'yes' } }, 'training.shuffle', 'must be true or false, not "yes"'],
  ['an unknown key', { training: { sead: 1 } }, 'training.sead', 'unknown key "sead"; did you mean "seed"?'],
  ['an unknown block', { trainning: {} }, 'trainning', 'unknown key "trainning"; did you mean "training"?'],
  ['a key of the method', { method: { peft_type: 'LORA', rr: 1 } }, 'method.rr', 'unknown key "rr"; did you mean "r"?'],
  [
    'a key of all methods',
    { method: { peft_type: 'LORA', init_form: 'x' } },
    'method.init_form',
    'unknown key "init_form"; did you mean "init_from"?',
  ],
])('%s: the key and what is allowed', (_, change, key, message) => {
  const run = 'model' in change ? change : { ...minimal, ...change };
  expect(errorOf(run)!.record()).toMatchObject({ key, message, file: FILE });
});

test('several faults are named in one error, each with its key', () => {
  const { key, message } = errorOf({ ...minimal, training: { sead: 1, learning_rate: -1 } })!.record();
  expect(key).toBe('training.learning_rate');
  expect(message).toContain('\n  training.sead: unknown key');
});
