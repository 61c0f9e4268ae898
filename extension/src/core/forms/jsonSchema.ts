// A node of a JSON schema as zod writes it, as far as forms look into it.
import type { MethodFacts } from '../../protocol/methodFacts.js';

export interface JsonSchema {
  title?: string;
  type?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  /** Of VS Code's: a line for each value. */
  enumDescriptions?: string[];
  defaultSnippets?: { label: string; description: string; body: unknown }[];
  /** Ours, of a method's block; editors ignore it. */
  facts?: MethodFacts;
  const?: unknown;
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
  minItems?: number;
}

export type JsonProperties = Record<string, JsonSchema>;

/** What a value may be, nested unions laid flat. */
export function alternatives(schema: JsonSchema): JsonSchema[] {
  const union = schema.anyOf ?? schema.oneOf;
  return union ? union.flatMap(alternatives) : [schema];
}
