// The dataset worker: a process next to the extension host that reads and tokenizes rows, so that large files neither
// block the extension host nor use its memory. Bundled to dist/datasetWorker.cjs, started by ../datasetWorkerClient.ts.
// Knows no vscode, executes nothing.
import { stat } from 'node:fs/promises';
import { fileTypeOf } from '../../../core/data/rowFileTypes.js';
import { InputError } from '../../../core/inputError.js';
import { endWithParent } from '../../../system/endWithParent.js';
import { AnalysedDataset } from './analysedDataset.js';
import { hashOf } from './fileHash.js';
import type { FromWorker, ReadingSettings, RequestName, ToWorker, WorkerRequests } from './workerMessages.js';

if (!process.send) throw new Error('this program is started by the extension host');
const send = (message: FromWorker) => process.send?.(message);
// The host has ended, or its window was closed; the second for when this process is busy.
process.on('disconnect', () => process.exit());
endWithParent();
// One line instead of the bundle's text; the host starts another worker.
const endWith = (error: unknown) => {
  console.error(`dataset worker: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
};
process.on('uncaughtException', endWith);
process.on('unhandledRejection', endWith);

const datasets = new Map<number, AnalysedDataset>();

function datasetOf(id: number): AnalysedDataset {
  const dataset = datasets.get(id);
  if (!dataset) throw new Error(`dataset ${id} is not open`);
  return dataset;
}

const handlers: { [N in RequestName]: (params: WorkerRequests[N]['params']) => unknown } = {
  open({ dataset: id, source, settings }) {
    const dataset = new AnalysedDataset(summary => send({ type: 'summary', dataset: id, summary }), fingerprintsOf);
    datasets.set(id, dataset);
    dataset.start(source, settings);
  },
  // A worker that replaces another one hasn't got the dataset.
  update: params =>
    datasets.has(params.dataset)
      ? datasetOf(params.dataset).start(params.source, params.settings)
      : handlers.open(params),
  rows: ({ dataset, limit }) => datasetOf(dataset).rows(limit),
  problems: ({ dataset, limit }) => datasetOf(dataset).problems(limit),
  use: ({ dataset }) => datasetOf(dataset).use(),
  row: ({ dataset, row }) => datasetOf(dataset).detail(row),
  view: ({ dataset, view }) => datasetOf(dataset).setView(view),
  list: ({ dataset, from, to }) => datasetOf(dataset).list(from, to),
  countAll: ({ dataset }) => datasetOf(dataset).countAll(),
  stop: ({ dataset }) => datasetOf(dataset).stop(),
  async close({ dataset: id }) {
    const dataset = datasets.get(id);
    datasets.delete(id);
    await dataset?.close();
  },
  hash: ({ path }) => hashOf(path),
  ping: () => {},
};

process.on('message', async ({ id, name, params }: ToWorker) => {
  try {
    const result = await (handlers[name] as (params: unknown) => unknown)(params);
    send({ type: 'answer', id, result });
  } catch (error) {
    send({ type: 'error', id, message: error instanceof InputError ? error.describe() : String(error) });
  }
});

/** Larger files are not compared, since every edit would require parsing both. */
const MAX_COMPARED_BYTES = 64 << 20;
const compared = new Map<string, { key: string; dataset: AnalysedDataset }>();

/** The rows of the run's other file, kept until it changes. */
async function fingerprintsOf(path: string, settings: ReadingSettings) {
  const found = await stat(path).catch(() => null);
  if (!found || !fileTypeOf(path) || found.size > MAX_COMPARED_BYTES) return null;
  const key = JSON.stringify([found.size, found.mtimeMs, settings]);
  let entry = compared.get(path);
  if (entry?.key !== key) {
    await entry?.dataset.close();
    const dataset = new AnalysedDataset(() => {}, fingerprintsOf);
    dataset.start({ kind: 'file', path }, { ...settings, compareWith: null });
    entry = { key, dataset };
    compared.set(path, entry);
  }
  return entry.dataset.fingerprints(path);
}
