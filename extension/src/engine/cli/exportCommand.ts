// `tunewright export`: an adapter in the format of llama.cpp or mlx-lm.
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { InputError } from '../../core/inputError.js';
import { exportFormatSchema, type ExportFormat } from '../../protocol/methodFacts.js';
import { writeGgufAdapter } from '../export/ggufAdapter.js';
import { writeMlxAdapter } from '../export/mlxAdapter.js';
import { readAdapterFolder } from '../inspect/inspectAdapter.js';
import { architectureOfFiles } from '../models/loadModel.js';
import { openAdapter } from '../peft/adapterFiles.js';
import { findModelFiles } from '../run/openModel.js';
import { progressDisplay } from './progressDisplay.js';
import { printAnswer } from './print.js';

interface ExportFlags {
  adapter: string;
  to: ExportFormat;
  out: string;
  model?: string;
  json?: boolean;
}

export function registerExportCommand(program: Command): void {
  program
    .command('export')
    .description('write an adapter for llama.cpp or mlx-lm')
    .requiredOption('--adapter <folder>', 'PEFT adapter')
    .addOption(
      new Option('--to <format>', 'gguf: one file for llama.cpp; mlx: a folder for mlx-lm')
        .choices(exportFormatSchema.options)
        .makeOptionMandatory(),
    )
    .requiredOption('--out <path>', 'file (gguf) or new folder (mlx)')
    .option('--model <model>', 'base model (default: the one named by the adapter)')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
llama.cpp:  llama-cli -m BASE.gguf --lora F.gguf
mlx-lm:     mlx_lm.generate --model BASE --adapter-path F

These formats support only LoRA. An adapter that can't be expressed as LoRA (DoRA, modules_to_save, biases, most other\nmethods) can be merged instead.`,
    )
    .action(run);
}

async function run(flags: ExportFlags): Promise<void> {
  const out = resolve(flags.out);
  if (flags.to === 'gguf' && existsSync(out) && statSync(out).isDirectory())
    throw new InputError('this is a folder', { file: out, hint: 'Name a file, such as adapter.gguf.' });
  const progress = progressDisplay();
  const files = await findModelFiles(flags.model ?? baseOf(flags.adapter), '.', progress);
  progress.finish();
  const architecture = architectureOfFiles(files);
  const saved = openAdapter(flags.adapter, architecture, { files, onWarning: progress.warn });
  try {
    if (flags.to === 'gguf') writeGgufAdapter(out, saved, architecture);
    else writeMlxAdapter(out, saved, architecture);
  } finally {
    saved.close();
    files.close();
  }
  printAnswer({ format: flags.to, path: out }, flags.json, () => out);
}

/** The base model on which the adapter was trained, from adapter_config.json. */
function baseOf(folder: string): string {
  const { baseModel } = readAdapterFolder(folder);
  if (baseModel === null)
    throw new InputError('the adapter does not name its base model', { file: folder, hint: 'Add --model.' });
  return baseModel;
}
