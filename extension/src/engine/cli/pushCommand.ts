// `tunewright push`: an adapter or a model in a repository on the Hugging Face Hub.
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { InputError } from '../../core/inputError.js';
import { isAdapterFolder } from '../inspect/inspectAdapter.js';
import { runFolderGiven } from './runPaths.js';
import { runExport, withExportOptions, type ExportFlags } from './exportOptions.js';

export function registerPushCommand(program: Command): void {
  const command = program
    .command('push')
    .description(
      'push an adapter or a model to the Hugging Face Hub, with a model card; private unless you say otherwise',
    )
    .argument('<source>', 'folder of a run, an adapter or a model, or a .gguf file')
    .option('--model <model>', 'base model (default: the one named by the adapter)')
    .option('--public', 'everybody can see the repository');
  withExportOptions(command, ['hub'])
    .addHelpText(
      'after',
      `
The token is HF_TOKEN, or that of \`hf auth login\`; it must be allowed to write. HF_ENDPOINT is another hub.
--dry-run asks nobody: it lists the files with their sizes and prints the model card.`,
    )
    .action(push);
}

function push(source: string, { public: isPublic, ...flags }: ExportFlags & { public?: boolean }): Promise<void> {
  if (isPublic && flags['private'])
    throw new InputError('a repository is private or public', { key: '--public', hint: 'Leave out one of the two.' });
  const visibility = isPublic ? { private: false } : {};
  return runExport('hub', { ...flags, ...pathsOf(source, flags.model), ...visibility }, () => ({}));
}

/** What of a source is the model, and what the adapter. @throws InputError if it is neither */
function pathsOf(source: string, model: string | undefined): Pick<ExportFlags, 'model' | 'adapter'> {
  const path = runFolderGiven(resolve(source));
  if (!existsSync(path)) throw new InputError('this does not exist', { file: path });
  const candidates = [path, join(path, 'adapter'), join(path, 'model')];
  const adapter = candidates.find(isAdapterFolder);
  if (adapter) return { model, adapter: [adapter] };
  const whole = path.toLowerCase().endsWith('.gguf')
    ? path
    : candidates.find(folder => existsSync(join(folder, 'config.json')));
  if (whole === undefined)
    throw new InputError('this is neither a run with a result, nor an adapter or a model', {
      file: path,
      hint:
        basename(dirname(path)) === 'checkpoints'
          ? 'A checkpoint isn’t in PEFT’s format; push the run instead.'
          : 'Name the folder of one, or a .gguf file.',
    });
  if (model !== undefined)
    throw new InputError('this is a model itself', { file: path, key: '--model', hint: 'Leave out --model.' });
  return { model: whole };
}
