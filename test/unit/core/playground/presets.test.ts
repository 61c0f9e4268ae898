import { expect, it } from 'vitest';
import {
  presetOf,
  PRESETS,
  valuesOf,
  variablesOf,
  variablesSchema,
  withPreset,
} from '../../../../extension/src/core/playground/presets.js';
import { samplingSchema } from '../../../../extension/src/protocol/sampling.js';

it.each(PRESETS)('$name is recognised, whatever length, seed and stops are chosen', preset => {
  const own = { max_new_tokens: 9, seed: 7, stop: ['x'], top_k: 3 };
  const chosen = withPreset(own, preset);
  expect(chosen).toEqual(samplingSchema.parse({ max_new_tokens: 9, seed: 7, stop: ['x'], ...preset.sampling }));
  expect(presetOf(chosen)).toBe(preset);
  expect(presetOf({ ...chosen, top_k: 3 })).toBeNull();
});

it('has switches and fields for the variables of a template, and leaves out those that are not set', () => {
  const schema = variablesSchema(['enable_thinking', 'date_string']);
  expect(schema.properties!['enable_thinking']!.enum).toHaveLength(3);
  const defaults = Object.fromEntries(
    Object.entries(schema.properties!).map(([name, property]) => [name, property.default]),
  );
  expect(variablesOf(defaults)).toEqual({});
  const variables = { enable_thinking: false, date_string: '26 Jul', documents: [{ title: 'a' }] };
  expect(variablesOf(valuesOf(variables))).toEqual(variables);
});
