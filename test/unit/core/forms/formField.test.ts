import { describe, expect, it } from 'vitest';
import {
  conditionOf,
  controlOf,
  expected,
  JSON_WORDS,
  helpOf,
  linesOf,
  parseLines,
  parseText,
  textOf,
} from '../../../../extension/src/core/forms/formField.js';
import type { JsonSchema } from '../../../../extension/src/core/forms/jsonSchema.js';
import { runFileJsonSchema } from '../../../../extension/src/engine/run/runFileSchema.js';

const run = runFileJsonSchema() as JsonSchema;
const lora = run.properties!['method']!.oneOf![0]!.properties!;
const training = run.properties!['training']!.properties!;
const dataset = run.properties!['dataset']!.properties!;
const engine = run.properties!['engine']!.properties!;
const samples = run.properties!['samples']!.properties!;

function value(schema: JsonSchema, text: string): unknown {
  const parsed = parseText(schema, text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
}
function problem(schema: JsonSchema, text: string): string | null {
  const parsed = parseText(schema, text);
  return parsed.ok ? null : parsed.problem;
}

describe('controlOf', () => {
  it('finds the control from the schema', () => {
    expect(controlOf(lora['r']!)).toEqual({ kind: 'text', numeric: true });
    expect(controlOf(lora['use_dora']!)).toEqual({ kind: 'checkbox' });
    expect(controlOf(lora['bias']!)).toEqual({ kind: 'select', options: ['none', 'all', 'lora_only'] });
    expect(controlOf(lora['init_lora_weights']!)).toEqual({ kind: 'select', options: [true, false, 'gaussian'] });
    expect(controlOf(lora['target_modules']!)).toEqual({ kind: 'text', numeric: false });
    expect(controlOf(training['eval_steps']!)).toEqual({ kind: 'text', numeric: true });
    expect(controlOf(engine['compile']!)).toEqual({ kind: 'select', options: ['auto', true, false] });
    expect(controlOf(samples['prompts']!)).toEqual({ kind: 'lines' });
    expect(controlOf(training['eval_metrics']!)).toEqual({ kind: 'text', numeric: false });
    expect(controlOf(training['greater_is_better']!)).toEqual({ kind: 'select', options: [true, false, null] });
  });
});

describe('parseText', () => {
  it('reads numbers with their range', () => {
    expect(value(lora['r']!, ' 16 ')).toBe(16);
    expect(value(training['learning_rate']!, '2e-4')).toBe(0.0002);
    expect(problem(lora['r']!, '0')).toBe('Must be a whole number from 1 to 65536.');
    expect(problem(lora['r']!, '1.5')).toBe('Must be a whole number from 1 to 65536.');
    expect(problem(lora['r']!, 'eight')).toBe('Must be a whole number from 1 to 65536.');
    expect(problem(lora['lora_dropout']!, '1')).toBe('Must be a number of at least 0 and below 1.');
    expect(problem(training['learning_rate']!, '')).toBe('Must be a number above 0.');
    expect(problem(training['max_steps']!, 'x')).toBe('Must be a whole number up to 1000000000.');
  });

  it('reads a list of fixed values', () => {
    expect(value(training['eval_metrics']!, 'rougeL, exact_match')).toEqual(['rougeL', 'exact_match']);
    expect(value(training['eval_metrics']!, 'rouge1')).toEqual(['rouge1']);
    expect(value(training['eval_metrics']!, '')).toEqual([]);
    expect(problem(training['eval_metrics']!, 'rouge1, bleu')).toMatch(/rouge1 or rouge2 or rougeL or exact_match/);
  });

  it('reads an empty text as null where that is allowed', () => {
    expect(value(training['eval_steps']!, '')).toBeNull();
    expect(problem(training['eval_steps']!, '-1')).toBe('Must be a whole number of at least 1.');
  });

  it('reads names, a list of names or a special word', () => {
    expect(value(lora['target_modules']!, 'q_proj, v_proj')).toEqual(['q_proj', 'v_proj']);
    expect(value(lora['target_modules']!, 'all-linear')).toBe('all-linear');
    expect(value(lora['target_modules']!, '')).toBeNull();
    expect(value(lora['modules_to_save']!, 'lm_head')).toEqual(['lm_head']);
    expect(value(lora['layers_to_transform']!, '0, 2')).toEqual([0, 2]);
    expect(value(lora['layers_to_transform']!, '3')).toBe(3);
    expect(problem(lora['layers_to_transform']!, '1, x')).toMatch(/whole number/);
  });

  it('reads tables', () => {
    expect(value(lora['rank_pattern']!, 'down_proj=16, q_proj: 4')).toEqual({ down_proj: 16, q_proj: 4 });
    expect(value(lora['rank_pattern']!, '')).toEqual({});
    expect(value(dataset['columns']!, '{"instruction": "question", "output": "answer"}')).toEqual({
      instruction: 'question',
      output: 'answer',
    });
    expect(problem(dataset['columns']!, '{"instruction"')).toBe('Write key=value, key=value.');
    expect(problem(lora['rank_pattern']!, 'down_proj')).toBe('Write key=value, key=value.');
    expect(problem(lora['rank_pattern']!, 'down_proj=x')).toMatch(/whole number/);
  });

  it('reads a share as a number, anything else as a path', () => {
    expect(value(dataset['validation']!, '0.1')).toBe(0.1);
    expect(value(dataset['validation']!, 'valid.jsonl')).toBe('valid.jsonl');
    expect(value(dataset['validation']!, '')).toBeNull();
  });

  it('restores every default of the run file from its text', () => {
    const groups = ['dataset', 'training', 'samples', 'engine'].map(key => run.properties![key]!.properties!);
    const methods = run.properties!['method']!.oneOf!.map(method => method.properties!);
    for (const properties of [...groups, ...methods])
      for (const [key, schema] of Object.entries(properties))
        if ('default' in schema && controlOf(schema).kind === 'text')
          expect([key, value(schema, textOf(schema.default))]).toEqual([key, schema.default]);
  });
});

it('a value that is nested without end is a short text', () => {
  let value: unknown = 1;
  for (let i = 0; i < 10_000; i++) value = i % 2 ? [value] : { a: value };
  expect(textOf(value)).toBe(`${'a='.repeat(10)}…`);
  expect(textOf([1, { b: [2, null] }])).toBe('1, b=2, ');
});

it('prompts may contain commas: there is one per line', () => {
  const prompts = ['Hello, who are you?', 'Red, green or blue?'];
  expect(parseLines(linesOf(prompts))).toEqual(prompts);
  expect(parseLines('\n  Why?  \n')).toEqual(['Why?']);
});

it('help describes null as the form shows it', () => {
  expect(helpOf(training['eval_steps']!)).toBe('Steps between two evaluations; not set: at the end of each epoch');
});

it('help uses the titles of other fields, and shows tables as they are written in a field', () => {
  expect(helpOf(training['max_steps']!, training)).toBe(
    'Stop after this number of optimizer steps; -1: train for “Epochs”',
  );
  expect(helpOf(lora['lora_alpha']!, lora)).toBe('The update is scaled by “Alpha” / “Rank”');
  expect(helpOf(lora['rank_pattern']!, lora)).toBe('A different “Rank” for some modules: down_proj=16');
  const [, table] = helpOf(dataset['columns']!, dataset).split(': ');
  expect(table).toBe('instruction=question, output=answer');
  expect(value(dataset['columns']!, table!)).toEqual({ instruction: 'question', output: 'answer' });
});

const blocks = { dataset, training, samples, engine };
const methods = run.properties!['method']!.oneOf!.map(({ title, properties }) => [title!, properties!] as const);
it.each([...Object.entries(blocks), ...methods])('no help of %s names a key or shows JSON', (_title, properties) => {
  const keys = Object.keys(properties).filter(key => key.includes('_'));
  for (const [name, schema] of Object.entries(properties)) {
    const help = helpOf(schema, properties);
    const words = help.match(/\w+/g) ?? [];
    expect([name, words.filter(word => keys.includes(word))]).toEqual([name, []]);
    expect([name, help]).toEqual([name, expect.not.stringMatching(/[{}]|\bnull\b/)]);
  }
});

describe('conditionOf', () => {
  const of = (title: string) => Object.fromEntries(methods)[title]!;

  it('returns the values of another field for which a field applies', () => {
    const selective = of('Selective');
    expect(conditionOf(selective['num_layers']!, selective)).toEqual({
      key: 'select',
      values: ['last_layers', 'first_layers'],
    });
    expect(conditionOf(selective['pattern']!, selective)).toEqual({ key: 'select', values: ['pattern'] });
    expect(helpOf(selective['pattern']!, selective)).toBe('Regular expression that matches complete parameter names');
    expect(conditionOf(selective['select']!, selective)).toBeNull();
  });

  it('is null if a description ends with "for" but names no value', () => {
    expect(conditionOf(lora['init_lora_weights']!, lora)).toBeNull();
    const ends = { description: 'How long; for tests' };
    expect(conditionOf(ends, { ends, other: { enum: ['a', 'b'] } })).toBeNull();
  });
});

describe('expected', () => {
  it('describes what a key accepts', () => {
    expect(expected(training['eval_steps']!)).toBe('a whole number of at least 1 or empty');
    expect(expected(lora['bias']!)).toBe('none or all or lora_only');
  });

  it.each<[JsonSchema, string]>([
    [{}, 'a list'],
    [{ type: 'object' }, 'a list of objects'],
    [{ type: 'integer', minimum: 0 }, 'a list of whole numbers of at least 0'],
    [{ type: 'string', minLength: 1 }, 'a list of non-empty text'],
  ])('describes a list of %j in a file', (items, text) => {
    expect(expected({ type: 'array', items }, JSON_WORDS)).toBe(text);
  });
});
