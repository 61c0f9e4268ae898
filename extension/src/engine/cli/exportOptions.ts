// What `merge` and `export` have in common: the options of the targets, which come from their schemas, and doing or planning an
// export.
import { resolve } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { certificateReasons, certificateTable, verdictText } from '../../core/exports/certificateText.js';
import { installedText } from '../../core/exports/installedAnswers.js';
import { commandOfExport } from '../../core/exports/llamaCppCommand.js';
import { expected, JSON_WORDS, type ValueWords } from '../../core/forms/formField.js';
import type { JsonSchema } from '../../core/forms/jsonSchema.js';
import { inputJsonSchema } from '../../core/forms/zodSchema.js';
import { InputError } from '../../core/inputError.js';
import { roughDuration } from '../../core/runs/runStatus.js';
import { bytes as sizeText } from '../../core/units.js';
import type { Exported, ExportPlan, ExportPlans } from '../../protocol/exportAnswers.js';
import { exportSchemas, type ExportEntry, type ExportName } from '../../protocol/exportConfig.js';
import { openExportSource } from '../export/exportSource.js';
import {
  checkPlace,
  checkPlaceName,
  performExport,
  planExport,
  planExports,
  type ExportRequest,
} from '../export/performExport.js';
import { exportTarget, exportTargets } from '../export/targets/registry.js';
import { RunFolder } from '../runFolder/runFolder.js';
import { engineOf, withEngineOptions, type EngineFlags } from './engineOptions.js';
import { interruptible } from './failure.js';
import { printAnswer } from './print.js';
import { progressDisplay, progressLines } from './progressDisplay.js';
import { table } from './table.js';

export interface ExportFlags extends EngineFlags {
  model?: string;
  adapter?: string[];
  out?: string;
  compare: boolean;
  generalTexts?: string;
  force?: boolean;
  dryRun?: boolean;
  progress?: boolean;
  json?: boolean;
  /** Options of the targets. */
  [option: string]: unknown;
}

/** Adds the options of these targets, and those of every export. */
export function withExportOptions(command: Command, targets: readonly ExportName[]): Command {
  for (const option of targetOptions(targets)) command.addOption(option);
  command
    .option('--no-compare', 'compare token ids, stop tokens and chat template only, not what the model computes')
    .option('--general-texts <file>', 'rows to compare on instead of those that the run held out, or the bundled texts')
    .option('--force', 'replace an existing file')
    .option('--dry-run', 'only say what would be written, what it needs and how long it takes')
    .option('--json', 'print one JSON object')
    .option('--progress', 'with --json, print progress and warnings before it, one JSON object per line');
  return withEngineOptions(command);
}

/** One option for each key of the targets' schemas. */
function targetOptions(targets: readonly ExportName[]): Option[] {
  const keys = new Set(targets.flatMap(target => Object.keys(propertiesOf(target))));
  return [...keys].flatMap(key => {
    const having = targets.filter(target => key in propertiesOf(target));
    const schemas = having.map(target => propertiesOf(target)[key]!);
    const prefix = targets.length === 1 ? '' : `${having.map(titleOf).join(', ')}: `;
    const values = [...new Set(schemas.flatMap(valuesOf))];
    const { description, type, pattern } = schemas[0]!;
    const presets = new Set(schemas.map(schema => schema.default).filter(preset => typeof preset === 'string'));
    const preset = presets.size === 0 ? '' : ` (default: ${[...presets].join(' or ')})`;
    const words = description!.charAt(0).toLowerCase() + description!.slice(1).replace('null:', 'default:');
    const value = type === 'boolean' ? '' : ` <${key.split('_').at(-1)}${type === 'array' ? '...' : ''}>`;
    const option = new Option(`${flagOf(key)}${value}`, `${prefix}${words}${preset}`);
    if (schemas[0]!.default === true) return [option, new Option(`--no-${flagOf(key).slice(2)}`).hideHelp()];
    if (values.length > 0) return option.choices(values);
    return pattern === undefined ? option : option.argParser(value => matching(schemas[0]!, value));
  });
}

function matching(schema: JsonSchema, value: string): string {
  if (!new RegExp(schema.pattern!).test(value)) throw new InvalidArgumentError(`must be ${expected(schema)}`);
  return value;
}

/** Made once: every start registers all commands, which ask for each key of each target. */
const properties = new Map<ExportName, Record<string, JsonSchema>>();

function propertiesOf(target: ExportName): Record<string, JsonSchema> {
  let known = properties.get(target);
  if (!known) {
    const { target: _, out: _out, ...own } = inputJsonSchema(exportSchemas[target]).properties!;
    properties.set(target, (known = own));
  }
  return known;
}

function valuesOf({ enum: values, anyOf }: JsonSchema): string[] {
  return (values ?? anyOf?.flatMap(valuesOf) ?? []).map(String);
}

function titleOf(target: ExportName): string {
  return exportSchemas[target].meta()!.title!;
}

function flagOf(key: string): string {
  return `--${key.replaceAll('_', '-')}`;
}

/** commander's name of an option. */
function attributeOf(key: string): string {
  return key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** @throws InputError on an option of another target, or on a wrong value */
function entryOf(target: ExportName, flags: ExportFlags): ExportEntry {
  const { writes, folder } = exportTarget(target);
  const own = Object.keys(propertiesOf(target));
  const others = new Set(exportTargets.flatMap(each => Object.keys(propertiesOf(each.target))));
  const refuse = (key: string, hint: string) => {
    throw new InputError('this option has no effect here', { key, hint });
  };
  for (const key of others)
    if (!own.includes(key) && flags[attributeOf(key)] !== undefined)
      refuse(flagOf(key), `${titleOf(target)} takes ${own.length === 0 ? 'no options' : own.map(flagOf).join(', ')}.`);
  if (flags.out !== undefined && (folder || writes === 'elsewhere'))
    refuse('--out', `${titleOf(target)} has a place of its own. To write a file, use --to merged-gguf.`);
  if (flags.force && writes === 'folder') refuse('--force', 'A folder is never replaced: choose a new one with --out.');
  if (!flags.compare && flags.generalTexts !== undefined) refuse('--general-texts', 'Leave out --no-compare.');
  const given = own.filter(key => flags[attributeOf(key)] !== undefined);
  const entry = { target, ...Object.fromEntries(given.map(key => [key, flags[attributeOf(key)]])) };
  const parsed = exportSchemas[target].safeParse(entry);
  if (parsed.success) return parsed.data;
  const key = String(parsed.error.issues[0]!.path[0]);
  const schema = propertiesOf(target)[key]!;
  throw new InputError(`must be ${expected({ ...schema, anyOf: undefined, ...givenValue(schema) }, FLAG_WORDS)}`, {
    key: flagOf(key),
  });
}

/** What can be given, without null, which is to leave the option out. */
function givenValue(schema: JsonSchema): JsonSchema {
  const given = schema.anyOf?.find(({ type }) => type !== 'null') ?? {};
  return { ...given, examples: schema.examples };
}

/** Of an option. */
const FLAG_WORDS: ValueWords = {
  ...JSON_WORDS,
  fixed: String,
  list: items => `${items}, several with spaces between them`,
};

/** Does what the flags say, or plans it, and prints the answer. @param facts more of it for --json */
export async function runExport(
  target: ExportName,
  flags: ExportFlags,
  facts: (answer: { path: string | null }) => Record<string, unknown>,
): Promise<void> {
  const entry = entryOf(target, flags);
  const out = flags.out === undefined ? null : resolve(flags.out);
  const force = flags.force ?? false;
  // Before a model is opened, or even downloaded.
  if (out !== null) checkPlaceName(out, exportTarget(target), '--out');
  if (out !== null && !flags.dryRun) checkPlace(out, exportTarget(target), null, force);
  await withSource(flags, async (opened, signal) => {
    const request = { ...opened, entry, out };
    if (flags.dryRun) {
      const plan = await planExport(request);
      return () => printAnswer({ ...facts(plan), ...plan }, flags.json, planText);
    }
    const generalTexts = flags.generalTexts === undefined ? null : resolve(flags.generalTexts);
    const exported = await performExport(request, { signal, compare: flags.compare, generalTexts, force });
    return () => printAnswer({ ...facts(exported), ...exported }, flags.json, exportedText);
  });
}

/** What exports to all targets would take. */
export async function planAll(flags: ExportFlags): Promise<void> {
  await withSource(flags, async opened => {
    const plans = await planExports(opened);
    return () => printAnswer(plans, flags.json, plansText);
  });
}

/** Opens what the flags name. @param work answers how its result is printed, once no progress is shown */
async function withSource(
  flags: ExportFlags,
  work: (opened: Omit<ExportRequest, 'entry' | 'out'>, signal: AbortSignal) => Promise<() => void>,
): Promise<void> {
  if (flags.progress && !flags.json)
    throw new InputError('progress is printed as JSON', { key: '--progress', hint: 'Add --json, or leave it out.' });
  const reporter = flags.progress ? progressLines() : progressDisplay();
  await interruptible(async signal => {
    const paths = { model: flags.model ?? null, adapters: flags.adapter ?? [] };
    const source = await openExportSource(paths, '.', reporter);
    try {
      const folder = source.run === null ? resolve('.') : RunFolder.open(source.run).exports;
      const show = await work({ source, folder, engine: engineOf(flags), reporter }, signal);
      reporter.finish();
      show();
    } finally {
      reporter.finish();
      source.close();
    }
  });
}

function planText(plan: ExportPlan): string {
  const { path, taken, needs, files = [], card } = plan;
  return [
    ...(card === undefined ? [] : [card]),
    ...files.map(file => `${file.path}  ${sizeText(file.bytes)}`),
    ...(path === null ? [] : [path]),
    sizeAndTime(plan),
    ...needs.flatMap(({ what, met, hint }) => [
      `${met ? 'there' : 'missing'}: ${what}`,
      ...(hint ? [`  ${hint}`] : []),
    ]),
    ...(taken ? ['There is something of that name already.'] : []),
    'Nothing was written (--dry-run).',
  ].join('\n');
}

function plansText({ plans }: ExportPlans): string {
  const rows = plans.map(({ target, plan, refused }) => {
    const { to } = exportTarget(target as ExportName);
    return [to, plan ? sizeAndTime(plan) : `not possible: ${refused!.message}`];
  });
  return `${table(rows)}\nNothing was written (--dry-run). Add --to for one of them.`;
}

function sizeAndTime({ bytes, seconds }: ExportPlan): string {
  return `${sizeText(bytes)}, about ${roughDuration(seconds)}`;
}

export function exportedText(exported: Exported): string {
  const { place, bytes, types, rounding, pushed, certificate } = exported;
  const counts = Object.entries(types ?? {}).map(([type, count]) => `${count} ${type}`);
  const lines = [place, counts.length === 0 ? sizeText(bytes) : `${sizeText(bytes)}, tensors: ${counts.join(', ')}`];
  if (pushed) {
    lines.push(...pushed.files.map(file => `${file.path}  ${sizeText(file.bytes)}  ${file.state}`));
    lines.push(pushed.commit === null ? 'The repository had everything already.' : `Commit ${pushed.commit}`);
  }
  if (rounding) {
    const { kl, adapter_kl: adapter, label_tokens: tokens } = rounding;
    const from = adapter === null ? 'the original' : 'base + adapter';
    const moved = adapter === null ? '' : `; the adapter has moved the base by ${adapter.toFixed(4)}`;
    lines.push(`KL divergence from ${from}: ${kl.toFixed(5)} nats per token (${tokens} tokens)${moved}`);
  }
  const shell = process.platform === 'win32' ? 'powershell' : 'posix';
  const command = commandOfExport(exported, { program: 'llama-cli', shell });
  if (command !== null) lines.push(`Run it with llama.cpp: ${command}`);
  if (certificate) {
    const reasons = certificateReasons(certificate).map(reason => `  ${reason}`);
    lines.push('', verdictText(certificate), table(certificateTable(certificate)), ...reasons);
    if (certificate.installed) lines.push('', installedText(certificate.installed));
    if (certificate.file !== null) lines.push(`Certificate: ${certificate.file}`);
  }
  return lines.join('\n');
}
