// What this engine supports: methods with their options, model families, dataset formats, checks of suites, export targets, from the registries and schemas. For
// `describe` and the resident engine.
import { datasetFormats } from '../../core/data/formats/registry.js';
import { ROW_FILE_EXTENSIONS } from '../../core/data/rowFileTypes.js';
import { checkTypes } from '../../core/evaluation/checks/registry.js';
import type { JsonSchema } from '../../core/forms/jsonSchema.js';
import { inputJsonSchema } from '../../core/forms/zodSchema.js';
import type { EngineCapabilities } from '../../protocol/answers.js';
import type { ExportTargetFacts } from '../../protocol/exportAnswers.js';
import { exportSchemas } from '../../protocol/exportConfig.js';
import { modelFamilies } from '../models/registry.js';
import { peftMethods } from '../peft/registry.js';
import { exportTargets } from '../export/targets/registry.js';
import { methodFacts } from '../run/methodFacts.js';

export function capabilities(): EngineCapabilities {
  return {
    methods: describedMethods(),
    families: describedFamilies(),
    formats: describedFormats(),
    checks: describedChecks(),
    exports: describedExports(),
  };
}

export interface DescribedOption {
  name: string;
  values: string;
  default: unknown;
  description: string;
}

/** The keys of a schema in words. */
function optionsOf(schema: JsonSchema): DescribedOption[] {
  return Object.entries(schema.properties ?? {}).map(([name, property]) => ({
    name,
    values: valuesOf(property),
    default: property.default,
    description: property.description ?? '',
  }));
}

/** What a key accepts, in words: `"true" | "false"`, `list of text`, `number or null`. */
function valuesOf({ type, enum: values, const: value, anyOf, items }: JsonSchema): string {
  if (value !== undefined) return JSON.stringify(value);
  if (values) return values.map(each => JSON.stringify(each)).join(' | ');
  if (anyOf) return [...new Set(anyOf.map(valuesOf))].join(' or ');
  if (type === 'array') return `list of ${valuesOf(items ?? {})}`;
  if (type === 'object') return 'table';
  return { string: 'text', integer: 'whole number', boolean: 'true | false' }[type ?? ''] ?? type ?? 'anything';
}

export function describedMethods() {
  return peftMethods.map(method => ({
    peft_type: method.peftType,
    title: method.title,
    summary: method.summary,
    family: method.family,
    ...methodFacts(method),
    options: optionsOf(inputJsonSchema(method.schema)),
  }));
}

export function describedChecks() {
  return checkTypes.map(({ type, title, description, schema, usesExpected = false }) => ({
    type,
    title,
    description,
    /** Whether `value` may be the row's `expected`. */
    uses_expected: usesExpected,
    options: optionsOf(inputJsonSchema(schema)),
  }));
}

function describedFamilies() {
  return modelFamilies.map(({ modelType }) => ({ model_type: modelType }));
}

function describedFormats() {
  return {
    files: ROW_FILE_EXTENSIONS,
    formats: datasetFormats.map(({ name, title, fields }) => ({ name, title, fields })),
  };
}

export function describedExports(): DescribedExport[] {
  return exportTargets.map(({ target, to, takes, writes }) => {
    const { title, description, ...schema } = inputJsonSchema(exportSchemas[target]);
    const { target: _, out, ...others } = schema.properties!;
    const options = out!.type === 'null' ? others : { ...others, out };
    const facts = { target, to, takes, writes, title: title!, description: description! };
    return { ...facts, options: optionsOf({ properties: options }), schema: { ...schema, properties: options } };
  });
}

/** An export target, with its options in words and as a schema for forms. */
export interface DescribedExport extends ExportTargetFacts {
  options: DescribedOption[];
}
