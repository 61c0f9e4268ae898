// Which rows of its files a run trains on and which it holds out, found again from its run file as training finds them. Used to make
// suites and to find rows of suites among those that an adapter was trained on.
import type { RowSource, SequenceExample } from '../../core/data/example.js';
import { datasetFile } from '../data/datasetFile.js';
import { readExamples } from '../data/loadDataset.js';
import { sourceHash } from '../data/sourceHash.js';
import { modelForAdapter } from '../peft/adapterTokenizer.js';
import { runShape } from '../training/runShape.js';
import { attachMethod } from './attachMethod.js';
import { openModelFiles } from './openModel.js';
import { OwnedResources } from './ownedResources.js';
import type { RunFile } from './readRunFile.js';
import { silentReporter, type Reporter } from './reporter.js';
import { modelReference } from './resolvedRun.js';
import { loadRows, withTemplateOf } from './runRows.js';

export interface HashedExample {
  example: SequenceExample;
  source: RowSource;
  hash: string;
}

export interface TrainingFile {
  rows: HashedExample[];
  /** SHA-256 of the file. */
  contentHash: string;
}

/** @param wanted which hashes to keep */
export async function hashedExamples(
  file: string,
  config: RunFile['config']['dataset'],
  wanted: (hash: string) => boolean,
): Promise<TrainingFile> {
  const rows: HashedExample[] = [];
  let contentHash = '';
  for await (const { example, source } of readExamples(file, config, { onHash: hash => (contentHash = hash) })) {
    const hash = sourceHash(example);
    if (wanted(hash)) rows.push({ example, source, hash });
  }
  return { rows, contentHash };
}

export function trainingFile({ config, resolvePath }: RunFile): string {
  return datasetFile(resolvePath(config.dataset.train), 'train');
}

/**
 * The lines of the training file that a run with a share for validation holds out, which follow from the rows that it can use with its
 * tokenizer.
 */
export async function heldOutLines(run: RunFile, reporter: Reporter): Promise<Set<number>> {
  const owned = new OwnedResources();
  try {
    const base = await openModelFiles(modelReference(run), run.resolvePath('.'), reporter);
    owned.own(base.files, files => files.close());
    const { attached, start } = attachMethod(run, base.architecture, { files: base.files });
    if (start) owned.own(start, saved => saved.close());
    const onDisk = withTemplateOf(run, start ? modelForAdapter(base, start, reporter.warn) : base);
    const limits = { maxLength: runShape(run.config, attached).maxLength, limitedBy: null };
    const model = { ...onDisk, architecture: attached.architecture };
    const { signal } = new AbortController();
    const { validation } = await loadRows(
      run,
      model,
      limits,
      { ...silentReporter, progress: reporter.progress },
      signal,
    );
    if (!validation) return new Set();
    owned.own(validation.dataset, dataset => dataset.close());
    return new Set(Array.from(validation.indices, i => validation.dataset.sourceOf(i).line));
  } finally {
    owned.dispose();
  }
}
