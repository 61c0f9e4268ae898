// The JSON schema of the race file, for editors and for `describe race-schema`: protocol/raceConfig.ts with the run file's schema in
// it. Written to media/schemas/race.schema.json by scripts/writeSchemas.mjs.
import type { JsonSchema } from '../../core/forms/jsonSchema.js';
import { inputJsonSchema } from '../../core/forms/zodSchema.js';
import { raceConfigSchema } from '../../protocol/raceConfig.js';
import { peftMethods } from '../peft/registry.js';
import { runFileJsonSchema } from '../run/runFileSchema.js';

export function raceFileJsonSchema(): JsonSchema {
  const race = inputJsonSchema(raceConfigSchema);
  const { defaultSnippets: _snippets, ...run } = runFileJsonSchema();
  const { run: runOrPath, vary, ...others } = race.properties!;
  const entry = vary!.items!;
  const { name, method, training, grid } = entry.properties!;
  const methodBlocks = run.properties!['method']!.oneOf!.map(
    ({ facts: _facts, required: _required, ...block }) => block,
  );
  const trainingKeys = run.properties!['training']!.properties!;
  const gridKeys = Object.fromEntries([
    ...methodBlocks.flatMap(block => valuesOf('method', block.properties!)),
    ...valuesOf('training', trainingKeys),
  ]);
  return {
    ...race,
    title: 'Tunewright race file',
    defaultSnippets: [newRace()],
    properties: {
      ...others,
      run: { ...withoutType(runOrPath!), anyOf: [{ type: 'string' }, withoutFacts(run)] },
      vary: {
        ...vary,
        items: {
          ...entry,
          properties: {
            name: name!,
            // Without peft_type, the keys are those of the run file's method.
            method: { ...withoutType(method!), type: 'object', anyOf: methodBlocks },
            training: {
              ...withoutType(training!),
              type: 'object',
              properties: trainingKeys,
              additionalProperties: false,
            },
            grid: { ...withoutType(grid!), type: 'object', properties: gridKeys, additionalProperties: false },
          },
        },
      },
    },
  };
}

/** Only title and description. */
function withoutType({ title, description }: JsonSchema): JsonSchema {
  return { title, description };
}

function withoutFacts(run: JsonSchema): JsonSchema {
  const { method, ...others } = run.properties!;
  return {
    ...run,
    properties: { ...others, method: { ...method, oneOf: method!.oneOf!.map(({ facts: _facts, ...block }) => block) } },
  };
}

/** A list of values for each key. Methods with a key of the same name allow different values: the first one's description is shown. */
function valuesOf(block: string, keys: Record<string, JsonSchema>): [string, JsonSchema][] {
  return Object.entries(keys).map(([key, { title, description }]) => [
    `${block}.${key}`,
    { title, description, type: 'array', minItems: 1 },
  ]);
}

/** Snippet for an empty race file, with the registry's first two methods. */
function newRace() {
  const [first, second] = peftMethods.map(({ peftType }) => peftType);
  return {
    label: 'Compare methods',
    description: 'A minimal race file',
    body: {
      name: '${1:race}',
      run: '${2:run.tune.json}',
      vary: [{ method: { peft_type: first } }, { method: { peft_type: second } }],
      seeds: [1, 2, 3],
      budget: { max_steps: 100 },
    },
  };
}
