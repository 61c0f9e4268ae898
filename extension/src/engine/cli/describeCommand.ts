// `tunewright describe`: methods, model families, dataset formats and the run file's JSON schema, as the registries and
// schemas have them. Nothing is written here that stands in one of them.
import { Argument, type Command } from 'commander';
import { datasetFormats } from '../../core/data/formats/registry.js';
import type { JsonSchema } from '../../core/forms/jsonSchema.js';
import { rowFileExtensions } from '../../core/data/rowFileTypes.js';
import { modelFamilies } from '../models/registry.js';
import { peftMethods } from '../peft/registry.js';
import { inputJsonSchema, runFileJsonSchema } from '../run/runFileSchema.js';
import { table } from './table.js';

const topics = {
  methods: { json: methodsJson, text: describeMethods },
  families: { json: familiesJson, text: describeFamilies },
  formats: { json: formatsJson, text: describeFormats },
} as const;

type Topic = keyof typeof topics | 'schemas';

export function registerDescribeCommand(program: Command): void {
  program
    .command('describe')
    .description('methods with their options, model families, dataset formats, and the schema of the run file')
    .addArgument(
      new Argument('[topic]', 'what to describe; nothing: all but the schemas').choices([
        ...Object.keys(topics),
        'schemas',
      ]),
    )
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nschemas prints the JSON schema of the run file, which editors complete and check by.')
    .action((topic: Topic | undefined, { json }: { json?: boolean }) => console.log(describe(topic, json ?? false)));
}

function describe(topic: Topic | undefined, json: boolean): string {
  if (topic === 'schemas') return JSON.stringify(runFileJsonSchema(), null, 2);
  const chosen = topic ? [topic] : (Object.keys(topics) as (keyof typeof topics)[]);
  if (json) return JSON.stringify(Object.fromEntries(chosen.map(name => [name, topics[name].json()])));
  return chosen.map(name => topics[name].text()).join('\n\n');
}

interface Option {
  name: string;
  values: string;
  default: unknown;
  description: string;
}

function optionsOf(schema: JsonSchema): Option[] {
  return Object.entries(schema.properties ?? {}).map(([name, property]) => ({
    name,
    values: valuesOf(property),
    default: property.default,
    description: property.description ?? '',
  }));
}

/** What a key takes, in words: `"true" | "false"`, `list of text`, `number or null`. */
function valuesOf({ type, enum: values, const: value, anyOf, items }: JsonSchema): string {
  if (value !== undefined) return JSON.stringify(value);
  if (values) return values.map(each => JSON.stringify(each)).join(' | ');
  if (anyOf) return [...new Set(anyOf.map(valuesOf))].join(' or ');
  if (type === 'array') return `list of ${valuesOf(items ?? {})}`;
  if (type === 'object') return 'table';
  return { string: 'text', integer: 'whole number', boolean: 'true | false' }[type ?? ''] ?? type ?? 'anything';
}

function methodsJson() {
  return peftMethods.map(({ peftType, title, summary, family, schema, merge }) => ({
    peft_type: peftType,
    title,
    summary,
    family,
    mergeable: merge !== null,
    options: optionsOf(inputJsonSchema(schema)),
  }));
}

function describeMethods(): string {
  const blocks = methodsJson().map(({ peft_type, title, summary, family, options }) => {
    const rows = options.map(option => [
      `    ${option.name}`,
      option.default === undefined ? '(needed)' : JSON.stringify(option.default),
      option.values.includes(' | "') ? `${option.description}: ${option.values}` : option.description,
    ]);
    return [`  ${peft_type}  ${title} (${family})`, `  ${summary}`, ...(rows.length > 0 ? [table(rows)] : [])].join(
      '\n',
    );
  });
  return ['Methods (method.peft_type) and their options with defaults', ...blocks].join('\n\n');
}

function familiesJson() {
  return modelFamilies.map(({ modelType }) => ({ model_type: modelType }));
}

function describeFamilies(): string {
  const names = modelFamilies.map(({ modelType }) => modelType);
  return `Model families (model_type of config.json)\n\n  ${names.join(', ')}`;
}

function formatsJson() {
  return {
    files: rowFileExtensions,
    formats: datasetFormats.map(({ name, title, fields }) => ({ name, title, fields })),
  };
}

function describeFormats(): string {
  const blocks = datasetFormats.map(({ name, title, fields }) =>
    [
      `  ${name}  ${title}`,
      table(fields.map(field => [`    ${field.name}${field.required ? '' : '?'}`, field.description])),
    ].join('\n'),
  );
  const heading = `Dataset formats (dataset.format; ? is optional), in ${rowFileExtensions.join(', ')} files`;
  return [heading, ...blocks].join('\n\n');
}
