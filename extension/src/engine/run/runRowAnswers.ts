// What `rows` answers: the rows of a step, or all rows of a run in an order, with their texts and losses.
import { excerptOf, questionOf } from '../../core/data/exampleText.js';
import { countLabels } from '../../core/data/example.js';
import { orderedRows } from '../../core/data/rowOrder.js';
import type { RankedRows, RowLosses, RowOrder, StepRows } from '../../protocol/rowLosses.js';
import { readExamples } from '../data/loadDataset.js';
import { readStepLosses } from '../runFolder/stepLosses.js';
import { readQuarantine } from '../data/quarantine.js';
import { sourceHash } from '../data/sourceHash.js';
import { ofRun } from './quarantineRows.js';
import type { Reporter } from './reporter.js';
import { knownLosses, measureRows, type MeasuredRows } from './rowLosses.js';
import { openRunRows, rowsOfStep, type RunRows } from './runStepRows.js';

/** In characters; more says little about what a row asks. */
const LONGEST_QUESTION = 1000;

/**
 * @param step counted from 1
 * @param measure whether to measure losses that aren't known
 * @throws InputError as `openRunRows`, `rowsOfStep` and, if it measures, `measureRows`
 */
export async function stepRows(path: string, step: number, measure: boolean, reporter: Reporter): Promise<StepRows> {
  const opened = await openRunRows(path, reporter);
  try {
    const found = rowsOfStep(opened, step);
    const indices = [...new Set(found.map(({ row }) => row))];
    const measured = measure ? await measureRows(opened, indices, reporter) : knownLosses(opened);
    const described = await describeRows(opened, indices, measured);
    const then = readStepLosses(opened.folder.stepLossesFile, step);
    return {
      ...factsOf(opened, measured),
      step,
      epoch: opened.plan.epochOf(step - 1) + 1,
      rows: found.map(({ row, microBatch, sequence }, i) => {
        const { question: _question, ...losses } = described.get(row)!;
        const recorded = then?.length === found.length ? then[i]! : null;
        return { ...losses, then: recorded, micro_batch: microBatch, sequence };
      }),
    };
  } finally {
    opened.dispose();
  }
}

/** @param top how many rows to return @throws InputError as `openRunRows` and `measureRows` */
export async function rankedRows(path: string, by: RowOrder, top: number, reporter: Reporter): Promise<RankedRows> {
  const opened = await openRunRows(path, reporter);
  try {
    const indices = Array.from(opened.rows.train.indices);
    const measured = await measureRows(opened, indices, reporter);
    const described = [...(await describeRows(opened, indices, measured)).values()];
    const rows = orderedRows(
      described.map(row => ({ ...row, now: row.now! })),
      by,
    );
    return {
      ...factsOf(opened, measured),
      by,
      measured: rows.length,
      rows: rows.slice(0, top).map(({ question: _question, ...row }) => row),
    };
  } finally {
    opened.dispose();
  }
}

function factsOf({ folder, run, rows }: RunRows, measured: MeasuredRows | null) {
  const { file } = ofRun(run);
  const weights = measured && measured.losses.size > 0 ? measured.weights : null;
  return { run: folder.path, file: rows.train.dataset.file, quarantine: file, weights };
}

/** Rows with their texts, for which the file is read once more. */
async function describeRows(
  { run, rows }: RunRows,
  indices: readonly number[],
  measured: MeasuredRows | null,
): Promise<Map<number, RowLosses & { question: string }>> {
  const { dataset } = rows.train;
  const quarantined = new Set((readQuarantine(ofRun(run).file) ?? []).map(({ hash }) => hash));
  const wanted = new Map(indices.map(index => [dataset.numberOf(index), index]));
  const described = new Map<number, RowLosses & { question: string }>();
  for await (const { example, source, number } of readExamples(dataset.file, run.config.dataset)) {
    const index = wanted.get(number);
    if (index === undefined) continue;
    const hash = sourceHash(example);
    const { before = null, now = null } = measured?.losses.get(index) ?? {};
    described.set(index, {
      line: source.line,
      hash,
      text: excerptOf(example) ?? '',
      label_tokens: countLabels(dataset.get(index).labels),
      then: null,
      before,
      now,
      quarantined: quarantined.has(hash),
      question: questionOf(example).slice(0, LONGEST_QUESTION),
    });
  }
  return described;
}
