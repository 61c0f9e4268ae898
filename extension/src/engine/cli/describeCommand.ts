// `tunewright describe`: methods, model families, dataset formats, checks of suites, export targets and JSON schemas, as text or JSON.
import { Argument, type Command } from 'commander';
import { datasetFormats } from '../../core/data/formats/registry.js';
import { ROW_FILE_EXTENSIONS } from '../../core/data/rowFileTypes.js';
import { suiteJsonSchema } from '../../core/evaluation/suiteSchema.js';
import { inputJsonSchema } from '../../core/forms/zodSchema.js';
import { clustersSchema } from '../../protocol/clusters.js';
import { modelFamilies } from '../models/registry.js';
import {
  capabilities,
  describedChecks,
  describedExports,
  describedMethods,
  type DescribedOption,
} from '../resident/capabilities.js';
import { quarantineJsonSchema } from '../data/quarantine.js';
import { raceFileJsonSchema } from '../race/raceFileSchema.js';
import { runFileJsonSchema } from '../run/runFileSchema.js';
import { table } from './table.js';
import { print } from './print.js';

const TOPICS = {
  methods: describeMethods,
  families: describeFamilies,
  formats: describeFormats,
  checks: describeChecks,
  exports: describeExports,
} as const;

/** JSON schemas, for completion and validation in editors. */
const SCHEMAS = {
  schemas: runFileJsonSchema,
  'suite-schema': suiteJsonSchema,
  'race-schema': raceFileJsonSchema,
  'quarantine-schema': quarantineJsonSchema,
  'clusters-schema': () => inputJsonSchema(clustersSchema),
} as const;

type Topic = keyof typeof TOPICS | keyof typeof SCHEMAS;

export function registerDescribeCommand(program: Command): void {
  program
    .command('describe')
    .description(
      'methods with their options, model families, dataset formats, checks of suites, export targets, and JSON schemas',
    )
    .addArgument(
      new Argument('[topic]', 'what to describe (default: all except the schemas)').choices([
        ...Object.keys(TOPICS),
        ...Object.keys(SCHEMAS),
      ]),
    )
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nschemas prints the JSON schema of the run file, suite-schema that of a row of an evaluation suite, race-schema that of a race, ' +
        'quarantine-schema that of a quarantine file, clusters-schema that of clusters.json.',
    )
    .action((topic: Topic | undefined, { json }: { json?: boolean }) => print(describe(topic, json ?? false)));
}

function describe(topic: Topic | undefined, json: boolean): string {
  if (topic && topic in SCHEMAS) return JSON.stringify(SCHEMAS[topic as keyof typeof SCHEMAS](), null, 2);
  const chosen = (topic ? [topic] : Object.keys(TOPICS)) as (keyof typeof TOPICS)[];
  if (!json) return chosen.map(name => TOPICS[name]()).join('\n\n');
  const known = capabilities();
  return JSON.stringify(Object.fromEntries(chosen.map(name => [name, known[name]])));
}

function describeMethods(): string {
  const blocks = describedMethods().map(({ peft_type, title, summary, family, options }) => {
    const rows = options.map(optionRow);
    return [`  ${peft_type}  ${title} (${family})`, `  ${summary}`, ...(rows.length > 0 ? [table(rows)] : [])].join(
      '\n',
    );
  });
  return ['Methods (method.peft_type), their options and defaults', ...blocks].join('\n\n');
}

function optionRow(option: DescribedOption): string[] {
  return [
    `    ${option.name}`,
    option.default === undefined ? '(required)' : JSON.stringify(option.default),
    option.values.includes(' | "') ? `${option.description}: ${option.values}` : option.description,
  ];
}

function describeChecks(): string {
  const blocks = describedChecks().map(({ type, description, uses_expected: usesExpected, options }) => {
    const rows = options.map(optionRow).map(([name, value, ...rest]) => {
      const isExpected = usesExpected && name!.trim() === 'value';
      return [name!, isExpected ? '(expected)' : value!, ...rest];
    });
    return [`  ${type}  ${description}`, table(rows)].join('\n');
  });
  return [
    'Checks of evaluation suites (type), their options and defaults; (expected): the row’s "expected"',
    ...blocks,
  ].join('\n\n');
}

function describeExports(): string {
  const blocks = describedExports().map(({ target, to, title, description, options }) => {
    const rows = options.map(optionRow);
    return [`  ${target}  ${title} (tunewright export --to ${to})`, `  ${description}`, table(rows)].join('\n');
  });
  return ['Export targets (`target` in each entry of `export`), their options and defaults', ...blocks].join('\n\n');
}

function describeFamilies(): string {
  const names = modelFamilies.map(({ modelType }) => modelType);
  return `Model families (model_type of config.json)\n\n  ${names.join(', ')}`;
}

function describeFormats(): string {
  const blocks = datasetFormats.map(({ name, title, fields }) =>
    [
      `  ${name}  ${title}`,
      table(fields.map(field => [`    ${field.name}${field.required ? '' : '?'}`, field.description])),
    ].join('\n'),
  );
  const heading = `Dataset formats (dataset.format; ? is optional), in ${ROW_FILE_EXTENSIONS.join(', ')} files`;
  return [heading, ...blocks].join('\n\n');
}
