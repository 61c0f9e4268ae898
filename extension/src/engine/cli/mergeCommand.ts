// `tunewright merge`: merges adapters into their base and writes the model as a Hugging Face folder or as GGUF. Without an adapter it
// converts the model.
import type { Command } from 'commander';
import { runExport, withExportOptions, type ExportFlags } from './exportOptions.js';

export function registerMergeCommand(program: Command): void {
  const command = program
    .command('merge')
    .description('merge adapters into their base model, or convert a model, and write a Hugging Face folder or GGUF')
    .requiredOption('--model <model>', 'base model: folder, .gguf file, hub id or embedded:tiny')
    .option('--adapter <folder...>', 'adapter folder of PEFT or of a run; several are merged in this order')
    .requiredOption('--out <path>', 'new folder, or a file that ends in .gguf');
  withExportOptions(command, ['gguf', 'folder']).action(merge);
}

function merge(flags: ExportFlags & { out: string }): Promise<void> {
  const toGguf = flags.out.toLowerCase().endsWith('.gguf');
  return runExport(toGguf ? 'gguf' : 'folder', flags, ({ path }) => ({ [toGguf ? 'file' : 'folder']: path }));
}
