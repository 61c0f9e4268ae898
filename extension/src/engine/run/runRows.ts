// Loads the training and validation rows of a run: two tokenized files, or one that is split. Used by prepareRun.ts and
// stepCount.ts.
import { InputError } from '../../core/inputError.js';
import { templatesOf } from '../../core/text/namedTemplates.js';
import type { TemplatePlace, TextTokenizer } from '../../core/text/textTokenizer.js';
import { MAX_TEMPLATE_BYTES, readText } from '../../system/regularFile.js';
import { datasetFile } from '../data/datasetFile.js';
import { valueHash } from '../data/fileHash.js';
import type { ExcludedRows } from '../data/quarantine.js';
import { loadDataset, type Dataset, type LoadDatasetOptions } from '../data/loadDataset.js';
import { splitRows } from '../data/split.js';
import { loadCachedDataset } from '../data/tokenCache.js';
import type { RowSet } from '../training/stepPlan.js';
import { withTemplate, type ModelOnDisk } from '../models/modelOnDisk.js';
import { engineIdentity } from './engineVersion.js';
import type { RunFile } from './readRunFile.js';
import { reportLoading, type Reporter } from './reporter.js';

/** How long rows may be, and why that is less than the run file's max_length. */
export interface RowLimits {
  maxLength: number;
  limitedBy: string | null;
}

/**
 * @param model with the architecture whose embedding the rows' ids must be within
 * @param exclude training rows to leave out
 * @param cache folder with the tokens of earlier runs
 */
export async function loadRows(
  run: RunFile,
  { files, tokenizer, architecture }: ModelOnDisk,
  { maxLength, limitedBy }: RowLimits,
  exclude: ExcludedRows | null,
  reporter: Reporter,
  signal: AbortSignal,
  cache?: string,
): Promise<{ train: RowSet; validation: RowSet | null }> {
  const { dataset: config, training } = run.config;
  const { chatTemplate, toolTemplate } = tokenizer;
  const read = (options: LoadDatasetOptions): Promise<Dataset> =>
    cache === undefined
      ? loadDataset(options)
      : loadCachedDataset(cache, valueHash([engineIdentity(), files.tokenizer, chatTemplate, toolTemplate]), options);
  const load = (path: string, role: 'train' | 'validation'): Promise<Dataset> =>
    read({
      file: datasetFile(run.resolvePath(path), role),
      config: { ...config, max_length: maxLength },
      limitedBy,
      tokenizer,
      embeddingRows: architecture.vocabSize,
      role,
      exclude: role === 'train' ? exclude : null,
      signal,
      onWarning: reporter.warn,
      onProgress: progress => reportLoading(reporter, progress),
    });
  const allRows = (dataset: Dataset): RowSet => ({
    dataset,
    indices: Array.from({ length: dataset.length }, (_, i) => i),
  });

  const train = await load(config.train, 'train');
  if (config.validation === null) return { train: allRows(train), validation: null };
  if (typeof config.validation === 'string')
    return { train: allRows(train), validation: allRows(await load(config.validation, 'validation')) };
  const split = splitRows(train, config.validation, training.seed);
  return {
    train: { dataset: train, indices: split.train },
    validation: { dataset: train, indices: split.validation },
  };
}

/**
 * The model with dataset.chat_template as its own, if the run has one: sample prompts, the tokens that end an answer and a
 * model folder that is written go by the template that the run trains on.
 */
export function withTemplateOf(run: RunFile, model: ModelOnDisk): ModelOnDisk {
  const template = templateOf(run);
  return template === null ? model : withTemplate(model, template, placeOf(run));
}

/** The same for a tokenizer alone. */
export function tokenizerWithTemplateOf(run: RunFile, tokenizer: TextTokenizer): TextTokenizer {
  const template = templateOf(run);
  return template === null ? tokenizer : { ...tokenizer, ...templatesOf(template), templatePlace: placeOf(run) };
}

function placeOf({ config, resolvePath }: RunFile): TemplatePlace {
  return { file: resolvePath(config.dataset.chat_template!) };
}

/**
 * The run's own template; null: it has none.
 * @throws InputError if its file doesn't exist, or isn't a text file of the size of a template
 */
export function templateOf({ config, resolvePath }: RunFile): string | null {
  const { chat_template: named } = config.dataset;
  if (named === null) return null;
  const path = resolvePath(named);
  const text = readText(path, 'follow', MAX_TEMPLATE_BYTES);
  if (text === null)
    throw new InputError('the chat template does not exist', { key: 'dataset.chat_template', file: path });
  return text;
}
