// What is known of a draft's training and validation file before the run starts, from the dataset worker. Answers are kept by path,
// time and size of the file and how it is read. Called by the run panel.
import { stat } from 'node:fs/promises';
import * as vscode from 'vscode';
import { datasetFacts, type DatasetCounts, type DatasetFacts } from '../../core/data/datasetFacts.js';
import { fileTypeOf } from '../../core/data/rowFileTypes.js';
import { block } from '../../core/runs/runFileKeys.js';
import { EMBEDDED_MODEL_ID } from '../../core/runs/proposeRun.js';
import type { DatasetWorkerClient } from './datasetWorkerClient.js';
import type { FileWatch } from './fileWatch.js';
import type { ReadingSettingsSource } from './readingSettings.js';
import { referenceOf, type RunFileReference } from './runFileReferences.js';
import type { DatasetSummary, ReadingSettings } from './worker/workerMessages.js';

/** Answers that are kept. */
const MAX_KEPT = 16;

export interface TrainingDataFacts {
  train: DatasetFacts;
  /** null if rows are held out, or none. */
  validation: DatasetFacts | null;
}

export class TrainingDataSource {
  private readonly kept = new Map<string, Promise<DatasetCounts>>();

  constructor(
    private readonly worker: DatasetWorkerClient,
    private readonly settings: Pick<ReadingSettingsSource, 'of'>,
    private readonly files: FileWatch,
  ) {}

  /**
   * @param draft with absolute paths
   * @param draftFile its path, as if it were saved
   * @returns null if the draft names no file that exists, or its dataset block is incomplete
   */
  async factsOf(draft: Readonly<Record<string, unknown>>, draftFile: vscode.Uri): Promise<TrainingDataFacts | null> {
    const run = runOf(draft, draftFile);
    if (!run) return null;
    const train = await this.fileFacts(run.train, run);
    if (!train) return null;
    return { train, validation: run.validation === null ? null : await this.fileFacts(run.validation, run) };
  }

  /** @returns a function that stops watching */
  watch(path: string, changed: () => void): () => void {
    return this.files.add(path, changed);
  }

  private async fileFacts(path: string, run: RunFileReference): Promise<DatasetFacts | null> {
    const found = await stat(path).catch(() => null);
    if (!found?.isFile() || !fileTypeOf(path)) return null;
    const { settings, missingModel } = await this.settings.of(vscode.Uri.file(path), run);
    // Of another model's tokenizer only what doesn't depend on it is true.
    const isExact = missingModel === null;
    const reading = { ...settings, compareWith: null };
    const key = JSON.stringify([path, found.mtimeMs, found.size, reading, isExact]);
    let counts = this.kept.get(key);
    if (!counts) {
      counts = this.count(path, reading, isExact);
      this.kept.set(key, counts);
      counts.catch(() => this.kept.delete(key));
      const [oldest] = this.kept.keys();
      if (this.kept.size > MAX_KEPT) this.kept.delete(oldest!);
    }
    const { on_bad_row: onBadRow, truncation } = run.dataset;
    return datasetFacts(await counts, { onBadRow, truncation });
  }

  private async count(path: string, settings: ReadingSettings, isExact: boolean): Promise<DatasetCounts> {
    let summary: DatasetSummary | null = null;
    const dataset = this.worker.open({ kind: 'file', path }, settings, latest => (summary = latest));
    try {
      const { unreadable, refusal, ...counts } = await dataset.ask('use', {});
      const { format, error, maxLength } = summary as unknown as DatasetSummary;
      const about = { ...counts, format: format?.title ?? null, error: error ?? refusal, maxLength };
      if (isExact) return about;
      const none = { count: 0, first: null };
      return { ...about, usable: counts.rows - unreadable.count, bad: unreadable, tooLong: none, masked: none };
    } finally {
      dataset.dispose();
    }
  }
}

/** The draft as a run file; one without a model is read as for the embedded one. */
function runOf(draft: Readonly<Record<string, unknown>>, draftFile: vscode.Uri): RunFileReference | null {
  if (typeof block(draft, 'dataset')['train'] !== 'string') return null;
  try {
    return referenceOf({ model: EMBEDDED_MODEL_ID, ...draft }, draftFile);
  } catch {
    // What is wrong with the block is shown at its fields.
    return null;
  }
}
