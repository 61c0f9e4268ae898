// The JSON schema of a row of an evaluation suite, for editors and for `describe schemas`: suite.ts with the keys of each check of
// the registry. Written to media/schemas/eval.schema.json by scripts/writeSchemas.mjs.
import type { JsonSchema } from '../forms/jsonSchema.js';
import { inputJsonSchema } from '../forms/zodSchema.js';
import type { CheckType } from './checks/check.js';
import { checkTypes } from './checks/registry.js';
import { suiteRowSchema } from './suite.js';

export function suiteJsonSchema(): JsonSchema {
  const row = inputJsonSchema(suiteRowSchema);
  const properties = row.properties!;
  return {
    ...row,
    title: 'Row of a Tunewright evaluation suite',
    oneOf: [{ required: ['prompt'] }, { required: ['messages'] }, { required: ['text'] }],
    properties: {
      ...properties,
      checks: { ...properties['checks'], items: { oneOf: checkTypes.map(checkJsonSchema) } },
    },
  };
}

function checkJsonSchema({ type, title, description, schema, usesExpected, example }: CheckType): JsonSchema {
  const { properties = {}, required = [] } = inputJsonSchema(schema);
  return {
    title,
    description,
    type: 'object',
    properties: { type: { const: type, title, description }, ...properties },
    required: ['type', ...required.filter(key => !(usesExpected && key === 'value'))],
    additionalProperties: false,
    examples: [{ type, ...(example.options as object) }],
  };
}
