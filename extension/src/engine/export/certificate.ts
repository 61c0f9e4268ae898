// The certificate of an export: what was written is opened again, under its temporary name, and compared with what it was made from.
// Called by everything that writes a model or an adapter for another program (mergeModel.ts, targets/); performExport.ts keeps the
// result as NAME.certificate.json. A difference that no rounding explains ends the export.
import { countLabels, type EncodedExample } from '../../core/data/example.js';
import { InputError } from '../../core/inputError.js';
import type { Comparison } from '../../protocol/certificate.js';
import type { Rounding } from '../../protocol/exportAnswers.js';
import { collectGarbage } from '../machine/processMemory.js';
import type { ModelFiles } from '../files/tensorSource.js';
import type { CausalLm } from '../models/causalLm.js';
import { computedOnUse, isUntied } from '../models/changedParameters.js';
import { modelOnFiles } from '../models/loadModel.js';
import { differenceOf } from '../models/sameArchitecture.js';
import type { SavedAdapter } from '../peft/adapterFiles.js';
import { tokenizerOf } from '../run/openModel.js';
import type { Reporter } from '../run/reporter.js';
import { meanDivergence, tokenDifferences, type ComparedModel, type TokenDifferences } from './compareModels.js';
import { EXACT, compareTexts, type Language } from './compareTexts.js';
import { klBound } from './exportBounds.js';
import { exportDiffers } from './exportDiffers.js';
import { heldOut, type HeldOut } from './heldOut.js';
import { embeddingRowsOf, mergeAdapters, type MergedModel } from './mergedModel.js';
import { savedLora } from './savedLora.js';
import { withFactors, type WrittenLora } from './writtenLora.js';

export interface CertifyOptions {
  reporter: Reporter;
  /** Whether probabilities are compared: it takes two passes over both models. */
  compare: boolean;
  /** File with the rows on which they are compared; null: those that the run held out, or the bundled texts. */
  generalTexts: string | null;
  /** Folder of the run that is exported, or null. */
  run: string | null;
  /** How a type with more bits than these is chosen; null: there is none. */
  finer?(types: Iterable<string>): string | null;
}

export interface Certified {
  comparisons: Comparison[];
  /** null if probabilities weren't compared. */
  rounding: Rounding | null;
  /** Duration of the comparisons. */
  seconds: number;
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
  const began = performance.now();
  const model = modelOnFiles(written);
  try {
    const layers = compareLayers(merged, model);
    const source = languageOf(merged.files);
    const rows = await rowsFor(merged, source, options);
    const texts = merged.files.tokenizer
      ? compareTexts(source, languageOf(written), rows.prompts)
      : [notCompared('token ids', 'text', 'the model has no tokenizer.json')];
    // A base with other tokens predicts something else.
    const hasBase = merged.adapters.length > 0 && embeddingRowsOf(merged) === merged.model.architecture.vocabSize;
    const others = hasBase ? [{ model: merged.model, options: {} }] : [];
    const compared = await comparePasses(mergedOnBase(merged), [{ model, options: {} }, ...others], rows, options);
    const { comparisons, rounding } = judged(compared, rows, types, merged.files, options);
    return { comparisons: [layers, ...texts, ...comparisons], rounding, seconds: secondsSince(began) };
  } finally {
    model.dispose();
  }
}

/**
 * Compares a written adapter, on its base, with the adapter that it was made from.
 * @param written is closed
 * @throws CodedError `export_differs`, InputError if the rows to compare on can't be read
 */
export async function certifyAdapter(
  written: WrittenLora,
  base: ModelFiles,
  saved: SavedAdapter,
  options: CertifyOptions,
): Promise<Certified> {
  try {
    const merged = mergeAdapters(base, [saved], options.reporter.warn);
    try {
      return await compareAdapters(written, saved, merged, options);
    } finally {
      merged.dispose();
    }
  } finally {
    written.close();
  }
}

async function compareAdapters(
  { factors }: WrittenLora,
  saved: SavedAdapter,
  merged: MergedModel,
  options: CertifyOptions,
): Promise<Certified> {
  const began = performance.now();
  const { model, files } = merged;
  const modules = savedLora(saved, model.architecture).factors.map(({ module }) => module.name);
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
  const rows = await rowsFor(merged, languageOf(files), options);
  const read = { model, options: { replaced: computedOnUse(withFactors(model, factors)) } };
  const compared = await comparePasses(mergedOnBase(merged), [read, { model, options: {} }], rows, options);
  const { comparisons, rounding } = judged(compared, rows, ['F32'], files, options);
  const template = ownTemplate(files, options.reporter);
  return { comparisons: [tensors, ...template, ...comparisons], rounding, seconds: secondsSince(began) };
}

/** A LoRA file has no place for a chat template. */
function ownTemplate({ ownTemplate: template }: ModelFiles, { warn }: Reporter): Comparison[] {
  if (template === undefined) return [];
  const why = 'the adapter was trained with its own, for which the file has no place';
  warn('chat_template', `${why}: name it to the other program, or merge the adapter into its base`);
  return [notCompared('chat template', 'template', why)];
}

function secondsSince(began: number): number {
  return (performance.now() - began) / 1000;
}

const REPORT = 'This is a fault of the export. Report it with the adapter’s adapter_config.json.';

function languageOf(files: ModelFiles): Language {
  return { files, tokenizer: tokenizerOf(files) };
}

/** Of several adapters only the merged weights are known. */
function mergedOnBase({ model, adapters, changed }: MergedModel): ComparedModel {
  const [adapter] = adapters;
  if (!adapter) return { model, options: {} };
  return { model, options: adapters.length === 1 ? adapter.forwardOptions : { replaced: computedOnUse(changed) } };
}

function rowsFor(merged: MergedModel, source: Language, options: CertifyOptions): Promise<HeldOut> {
  const { architecture } = merged.model;
  return heldOut({ ...source, architecture, embeddingRows: embeddingRowsOf(merged), ...options });
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
  // The tokenizers have done their part.
  collectGarbage();
  return tokenDifferences(reference, others, [...rows, ...answers]);
}

/**
 * @throws CodedError if the difference is above the bound, InputError if either model answers with NaN
 */
function judged(
  compared: TokenDifferences[] | null,
  { rows, named, answers }: HeldOut,
  types: Iterable<string>,
  source: ModelFiles,
  { finer }: CertifyOptions,
): Pick<Certified, 'comparisons' | 'rounding'> {
  if (!compared) return { comparisons: [notCompared('kl', 'token', '--no-compare')], rounding: null };
  const { most, why } = klBound(types);
  const tokens = labelsOf(rows);
  const [kl, adapterKl = null] = compared.map(({ divergences }) => meanDivergence(divergences.subarray(0, tokens)));
  const off = compared[0]!;
  if (!Number.isFinite(kl))
    throw new InputError(`the model computes non-finite values on ${named}, so nothing was written`, {
      file: source.path,
      hint: 'Its weights, or those of the adapter, are damaged or too large: tunewright evaluate says which.',
    });
  if (kl! > most) {
    const problem = `it differs by ${kl!.toPrecision(3)} nats per token on ${named}, and may by ${most} (${why})`;
    const advice = finer?.(types) ?? null;
    throw exportDiffers(problem, source, advice === null ? REPORT : `For more bits, ${advice}.`);
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
