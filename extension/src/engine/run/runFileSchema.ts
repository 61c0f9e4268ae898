// The JSON schema of the run file, for editors and for `describe schemas`: protocol/runConfig.ts with the `method` block
// spelt out for every method of the registry. media/schemas/run.schema.json is this, written by scripts/writeSchemas.mjs.
import { z } from 'zod';
import type { JsonSchema } from '../../core/forms/jsonSchema.js';
import { runConfigSchema } from '../../protocol/runConfig.js';
import type { PeftMethod } from '../peft/method.js';
import { peftMethods } from '../peft/registry.js';

/** What a user may write for a zod schema: keys with a default are optional. Draft 7 is what editors know best. */
export function inputJsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input', target: 'draft-7' }) as JsonSchema;
}

export function runFileJsonSchema(): JsonSchema {
  const run = inputJsonSchema(runConfigSchema);
  const properties = run.properties!;
  const initFrom = properties['method']!.properties!['init_from']!;
  const method: JsonSchema = {
    description: 'What is trained, and how',
    oneOf: peftMethods.map(candidate => methodJsonSchema(candidate, initFrom)),
  };
  return { ...run, title: 'Tunewright run file', properties: { ...properties, method } };
}

function methodJsonSchema({ peftType, title, summary, schema }: PeftMethod, initFrom: JsonSchema): JsonSchema {
  const { properties = {}, required = [] } = inputJsonSchema(schema);
  return {
    title,
    description: summary,
    type: 'object',
    properties: { peft_type: { const: peftType, description: summary }, ...properties, init_from: initFrom },
    required: ['peft_type', ...required],
    additionalProperties: false,
  };
}
