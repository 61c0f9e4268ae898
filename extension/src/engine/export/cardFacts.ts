// What a model card says of an export: of its base, of the run that trained it, of the suites that judged it, and how a conversation is
// written. From files only; what they don't have is left out. Called by targets/hub.ts; the text is in core/exports/modelCard.ts.
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { unlessWrong } from '../../core/inputError.js';
import type { CardMethod, ModelCard } from '../../core/exports/modelCard.js';
import { initialRunState, reduceRun } from '../../core/runs/runState.js';
import { renderChat } from '../../core/text/chatTemplate.js';
import { keptReports, RESULT } from '../../system/keptReports.js';
import { GgufMetadata } from '../files/ggufMetadata.js';
import { readGgufHeader } from '../files/ggufHeader.js';
import { RandomAccessFile } from '../files/randomAccessFile.js';
import type { ModelFiles } from '../files/tensorSource.js';
import { parseHubReference } from '../hub/hubReference.js';
import { MODEL_ALIASES } from '../hub/pypiModel.js';
import { licenceOf } from '../models/modelCard.js';
import { filesForAdapter } from '../peft/adapterTokenizer.js';
import type { PeftMethod } from '../peft/method.js';
import { peftMethod } from '../peft/registry.js';
import { tokenizerOf } from '../run/openModel.js';
import { readRunFile } from '../run/readRunFile.js';
import { silentReporter } from '../run/reporter.js';
import { readEvents } from '../runFolder/eventLog.js';
import type { ExportSource } from './exportSource.js';

type CardFacts = Pick<ModelCard, 'base' | 'licence' | 'method' | 'run' | 'suites' | 'promptFormat'>;

export function cardFacts(source: ExportSource): CardFacts {
  const { base, adapters, run: folder } = source;
  const [adapter] = adapters;
  const run = folder === null ? null : readRun(folder);
  // The result of a run that trained the whole model is a model, whose base is that of the run.
  const trained = adapter || !run ? null : run.config;
  const method = trained && peftMethod(trained.method.peft_type);
  return {
    base: trained ? hubIdOf({ reference: trained.model, path: trained.model }) : hubIdOf(base),
    licence: base.format === 'gguf' ? licenceInGguf(base.path) : licenceOf(base.path),
    method: adapter ? methodOf(adapter.attached) : method ? cardMethod(method, {}) : null,
    run,
    suites: folder === null ? [] : suitesOf(folder),
    promptFormat: promptFormat(source),
  };
}

function readRun(folder: string): NonNullable<CardFacts['run']> {
  const { config } = readRunFile(join(folder, 'run.json'), 'refuse');
  return { config, state: readEvents(join(folder, 'events.ndjson')).reduce(reduceRun, initialRunState) };
}

/** The model on the hub that these files are a copy of; null if that isn't known. */
export function hubIdOf({ reference, path }: Pick<ModelFiles, 'reference' | 'path'>): string | null {
  const cached = /models--([\w.-]+)--([\w.-]+)[/\\]snapshots[/\\]/.exec(`${path}/`);
  if (cached) return `${cached[1]}/${cached[2]}`;
  const alias = MODEL_ALIASES[reference];
  if (alias) return alias.hubId;
  return existsSync(reference) ? null : (parseHubReference(reference)?.id ?? null);
}

function licenceInGguf(path: string): string | null {
  const file = new RandomAccessFile(path);
  try {
    return new GgufMetadata(readGgufHeader(file).metadata, path).optionalString('general.license');
  } finally {
    file.close();
  }
}

/** The method of an adapter, with the keys of its config that say something. */
function methodOf(attached: ExportSource['adapters'][number]['attached']): CardMethod {
  const options = Object.entries(attached.toAdapterConfig()).filter(([, value]) => saysSomething(value));
  return cardMethod(attached.method, Object.fromEntries(options));
}

function cardMethod({ peftType, title, python }: PeftMethod, options: CardMethod['options']): CardMethod {
  const isOfPeft = python !== undefined && 'configClass' in python;
  return { peftType, title, isOfPeft, options };
}

function saysSomething(value: unknown): boolean {
  const isEmpty = typeof value === 'object' && Object.keys(value ?? {}).length === 0;
  return !isEmpty && value !== false && value !== 'none';
}

function suitesOf(run: string): CardFacts['suites'] {
  return keptReports(run).flatMap(({ suite, report }) => {
    const { [RESULT]: result, base } = report.models;
    if (!result) return [];
    const { score, passed, total } = result;
    return [{ name: basename(suite.file), score, passed, total, baseScore: base?.score ?? null }];
  });
}

/** null if there is no chat template, or it can't be rendered. */
function promptFormat({ base, adapters }: ExportSource): string | null {
  const files = adapters.reduce((before, adapter) => filesForAdapter(before, adapter, silentReporter.warn), base);
  const tokenizer = unlessWrong(() => tokenizerOf(files));
  if (!tokenizer || tokenizer.chatTemplate === null) return null;
  const messages = [{ role: 'user', content: 'Hello!' }] as const;
  return unlessWrong(() => renderChat(tokenizer, [...messages], { addGenerationPrompt: true }));
}
