// A node of a JSON schema as written by zod, limited to what forms use.
import type { MethodFacts } from '../../protocol/methodFacts.js';

export interface JsonSchema {
  title?: string;
  /** zod writes a list for some alternatives, of which `alternatives` makes schemas. */
  type?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  /** A VS Code extension: one text for each value of `enum`. */
  enumDescriptions?: string[];
  defaultSnippets?: { label: string; description: string; body: unknown }[];
  /** Our own, on the block of a method; editors ignore it. */
  facts?: MethodFacts;
  const?: unknown;
  examples?: unknown[];
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  items?: JsonSchema;
  properties?: JsonProperties;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
  pattern?: string;
  minItems?: number;
}

export type JsonProperties = Record<string, JsonSchema>;

/** The alternatives of a schema, nested unions flattened. */
export function alternatives(schema: JsonSchema): JsonSchema[] {
  const { type } = schema as { type?: string | string[] };
  if (Array.isArray(type)) return type.map(each => ({ ...schema, type: each }));
  const union = schema.anyOf ?? schema.oneOf;
  return union ? union.flatMap(alternatives) : [schema];
}
