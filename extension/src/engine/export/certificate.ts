// The certificate of an export: what was written is opened again, under its temporary name, and compared with what it was made from.
// Called by everything that writes a model or an adapter for another program (mergeModel.ts, adapterExport.ts); performExport.ts keeps
// the result as certificate.json. A difference that no rounding explains ends the export.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { countLabels, type EncodedExample } from '../../core/data/example.js';
import { overallVerdict } from '../../core/exports/certificateText.js';
import { InputError, unlessWrong } from '../../core/inputError.js';
import {
  EXPORTS_FOLDER,
  certificateName,
  certificateSchema,
  type Certificate,
  type Comparison,
} from '../../protocol/certificate.js';
import { fileHash } from '../data/fileHash.js';
import { readJsonObject, writeJson } from '../files/jsonFile.js';
import type { ModelFiles } from '../files/tensorSource.js';
import type { CausalLm } from '../models/causalLm.js';
import { computedOnUse, isUntied } from '../models/changedParameters.js';
import { modelOnFiles } from '../models/loadModel.js';
import { differenceOf } from '../models/sameArchitecture.js';
import { engineVersion } from '../run/engineVersion.js';
import { tokenizerOf } from '../run/openModel.js';
import type { Reporter } from '../run/reporter.js';
import { meanDivergence, tokenDifferences, type ComparedModel, type TokenDifferences } from './compareModels.js';
import { EXACT, compareTexts } from './compareTexts.js';
import { klBound, type KlBound } from './exportBounds.js';
import { exportDiffers } from './exportDiffers.js';
import { heldOut, type HeldOut } from './heldOut.js';
import type { MergedModel } from './mergedModel.js';
import { withFactors, type WrittenLora } from './writtenLora.js';

export interface CertifyOptions {
  reporter: Reporter;
  /** Whether probabilities are compared: it takes two passes over both models. */
  compare: boolean;
  /** File with the rows on which they are compared; null: those that the run held out, or the bundled texts. */
  generalTexts: string | null;
  /** Folder of the run that is exported, or null. */
  run: string | null;
}

/** What an export has changed, in nats per token. */
export interface Rounding {
  /** KL(base + adapter || written file) */
  kl: number;
  /** KL(base + adapter || base); null without an adapter. */
  adapter_kl: number | null;
  label_tokens: number;
}

export interface Certified {
  comparisons: Comparison[];
  /** null if probabilities weren't compared. */
  rounding: Rounding | null;
}

/**
 * Compares a written model with the base and the adapters that it was made from.
 * @param written read again
 * @param types of the tensors whose bytes aren't the base's
 * @throws CodedError `export_differs`, InputError if the rows to compare on can't be read
 */
export async function certifyModel(
  written: ModelFiles,
  types: Iterable<string>,
  merged: MergedModel,
  options: CertifyOptions,
): Promise<Certified> {
  const model = modelOnFiles(written);
  try {
    const layers = compareLayers(merged, model);
    const rows = await rowsFor(merged, options);
    const texts = merged.files.tokenizer
      ? compareTexts(languageOf(merged.files), languageOf(written), rows.prompts)
      : [notCompared('token ids', 'text', 'the model has no tokenizer.json')];
    const others = merged.adapters.length > 0 ? [{ model: merged.model, options: {} }] : [];
    const compared = await comparePasses(mergedOnBase(merged), [{ model, options: {} }, ...others], rows, options);
    const { comparisons, rounding } = judged(compared, rows, klBound(types), merged.files);
    return { comparisons: [layers, ...texts, ...comparisons], rounding };
  } finally {
    model.dispose();
  }
}

/**
 * Compares a written adapter, on its base, with the adapter that it was made from.
 * @param modules that the adapter changes
 * @throws CodedError `export_differs`, InputError if the rows to compare on can't be read
 */
export async function certifyAdapter(
  { factors }: WrittenLora,
  modules: readonly string[],
  merged: MergedModel,
  options: CertifyOptions,
): Promise<Certified> {
  const { model, files } = merged;
  const found = factors.map(({ module }) => module.name);
  const [missing] = modules.filter(name => !found.includes(name));
  const [further] = found.filter(name => !modules.includes(name));
  if (missing ?? further)
    throw exportDiffers(missing ? `it lacks the matrices of ${missing}` : `it changes ${further}`, files, REPORT);
  const tensors: Comparison = {
    what: 'tensors',
    compared: 2 * factors.length,
    unit: 'tensor',
    with: 'names and shapes of the PEFT adapter',
    ...EXACT,
  };
  const rows = await rowsFor(merged, options);
  const read = { model, options: { replaced: computedOnUse(withFactors(model, factors)) } };
  const compared = await comparePasses(mergedOnBase(merged), [read, { model, options: {} }], rows, options);
  const { comparisons, rounding } = judged(compared, rows, klBound(['F32']), files);
  return { comparisons: [tensors, ...comparisons], rounding };
}

const REPORT = 'This is a fault of the export. Report it with the adapter’s adapter_config.json.';

function languageOf(files: ModelFiles) {
  return { files, tokenizer: tokenizerOf(files) };
}

/** Of several adapters only the merged weights are known. */
function mergedOnBase({ model, adapters, changed }: MergedModel): ComparedModel {
  const [adapter] = adapters;
  if (!adapter) return { model, options: {} };
  return { model, options: adapters.length === 1 ? adapter.forwardOptions : { replaced: computedOnUse(changed) } };
}

function rowsFor({ files, model: { architecture }, changed }: MergedModel, options: CertifyOptions): Promise<HeldOut> {
  const embeddingRows = changed.get(`${architecture.embedding}.weight`)?.shape[0] ?? architecture.vocabSize;
  return heldOut({ files, architecture, embeddingRows, ...options });
}

/** @throws InputError if the file is read as a model that computes something else */
function compareLayers({ model: { architecture }, files, changed }: MergedModel, written: CausalLm): Comparison {
  const isTied = architecture.tieWordEmbeddings && !isUntied(architecture, changed);
  const difference = differenceOf({ ...architecture, tieWordEmbeddings: isTied }, written.architecture);
  if (difference !== null)
    throw new InputError(`the format can't express all of this model (${difference}), so nothing was written`, {
      file: files.path,
      hint: 'Write a Hugging Face folder instead: --out FOLDER.',
    });
  const compared = architecture.layers.length;
  return { what: 'layers', compared, unit: 'layer', with: 'config.json, as it is computed', ...EXACT };
}

/** null if probabilities aren't to be compared. */
async function comparePasses(
  reference: ComparedModel,
  others: readonly ComparedModel[],
  { rows, answers }: HeldOut,
  { compare, reporter }: CertifyOptions,
): Promise<TokenDifferences[] | null> {
  if (!compare) return null;
  reporter.progress('compare', 0, null);
  return tokenDifferences(reference, others, [...rows, ...answers]);
}

/** @throws CodedError if the difference is above the bound */
function judged(
  compared: TokenDifferences[] | null,
  { rows, named, answers }: HeldOut,
  { most, why }: KlBound,
  source: ModelFiles,
): Certified {
  if (!compared) return { comparisons: [notCompared('kl', 'token', '--no-compare')], rounding: null };
  const tokens = labelsOf(rows);
  const [kl, adapterKl = null] = compared.map(({ divergences }) => meanDivergence(divergences.subarray(0, tokens)));
  const off = compared[0]!;
  if (!(kl! <= most)) {
    const problem = `it differs by ${kl!.toPrecision(3)} nats per token on ${named}, and may by ${most} (${why})`;
    throw exportDiffers(problem, source, 'Choose a type with more bits. --no-compare writes the file all the same.');
  }
  const comparisons: Comparison[] = [
    {
      what: 'kl',
      compared: tokens,
      unit: 'token',
      with: named,
      difference: kl!,
      bound: most,
      why,
      verdict: kl === 0 ? 'same' : 'within',
    },
  ];
  if (answers.length > 0) {
    const different = differentAnswers(answers, off.sameBest.subarray(tokens));
    comparisons.push({
      what: 'greedy answers',
      compared: answers.length,
      unit: 'answer',
      with: 'the run’s answers to its sample prompts, token by token',
      difference: different,
      bound: null,
      why: different === 0 ? '' : 'of two tokens that are nearly as likely, rounding may prefer the other',
      verdict: different === 0 ? 'same' : 'within',
    });
  }
  return { comparisons, rounding: { kl: kl!, adapter_kl: adapterKl, label_tokens: tokens } };
}

function labelsOf(rows: readonly EncodedExample[]): number {
  return rows.reduce((sum, { labels }) => sum + countLabels(labels), 0);
}

/** Answers with a token for which the written model prefers another. */
function differentAnswers(answers: readonly EncodedExample[], sameBest: Uint8Array): number {
  let begin = 0;
  let different = 0;
  for (const { labels } of answers) {
    const end = begin + countLabels(labels);
    if (sameBest.subarray(begin, end).includes(0)) different++;
    begin = end;
  }
  return different;
}

function notCompared(what: Comparison['what'], unit: string, why: string): Comparison {
  return { what, compared: 0, unit, with: '', difference: null, bound: null, why, verdict: 'not compared' };
}

/** What the certificate says of an export in addition to its comparisons. */
export interface CertifiedExport extends Pick<Certificate, 'target' | 'type' | 'base' | 'adapters' | 'run'> {
  /** Where it is now. */
  written: string;
  /** Where it will be, or in which program. */
  path: string;
  comparisons: readonly Comparison[];
  seconds: number;
}

/** The certificate of an export whose files are complete. @throws InputError if they can't be read */
export async function certificateOf({ written, ...facts }: CertifiedExport): Promise<Certificate> {
  const isFolder = statSync(written).isDirectory();
  const names = isFolder ? filesIn(written) : [basename(written)];
  const files = [];
  for (const name of names) {
    const file = isFolder ? join(written, name) : written;
    files.push({ name, bytes: statSync(file).size, sha256: await fileHash(file) });
  }
  return {
    version: 1,
    ...facts,
    files,
    reader: { name: 'tunewright', version: engineVersion },
    comparisons: [...facts.comparisons],
    verdict: overallVerdict(facts.comparisons),
    created: new Date().toISOString(),
  };
}

function filesIn(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.filter(name => statSync(join(folder, name)).isFile()).sort();
}

/**
 * Writes the certificate into the folder of the run that was exported, else beside the export.
 * @returns its path
 * @throws InputError if it can't be written
 */
export function keepCertificate(certificate: Certificate, beside: string): string {
  const { run, path } = certificate;
  const folder = run === null ? dirname(beside) : join(run, EXPORTS_FOLDER);
  const place = (number: number) =>
    join(folder, certificateName(number === 1 ? basename(beside) : `${basename(beside)}.${number}`));
  let number = 1;
  // Exports of a run into different folders may have the same name.
  while (existsSync(place(number)) && readCertificate(place(number))?.path !== path) number++;
  writeJson(place(number), certificate);
  return place(number);
}

/** null if there is none, or the file isn't one. */
export function readCertificate(path: string): Certificate | null {
  return certificateSchema.safeParse(unlessWrong(() => readJsonObject(path, 'refuse'))).data ?? null;
}
