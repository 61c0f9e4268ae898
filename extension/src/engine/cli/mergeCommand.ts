// `tunewright merge`: merges an adapter into its base and writes the model as a Hugging Face folder.
import { resolve } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type { Command } from 'commander';
import { InputError } from '../../core/inputError.js';
import { openBackend } from '../backend/openBackend.js';
import { checkNewFolder } from '../files/newFolder.js';
import { architectureOfFiles, loadModel } from '../models/loadModel.js';
import { writeModelFolder } from '../models/writeModelFolder.js';
import { loadAdapter, openAdapter, type SavedAdapter } from '../peft/adapterFiles.js';
import { filesForAdapter } from '../peft/adapterTokenizer.js';
import { findModelFiles } from '../run/openModel.js';
import { engineOf, withEngineOptions, type EngineFlags } from './engineOptions.js';
import { progressDisplay } from './progressDisplay.js';
import { printAnswer } from './print.js';

interface MergeFlags extends EngineFlags {
  model: string;
  adapter: string;
  out: string;
  json?: boolean;
}

export function registerMergeCommand(program: Command): void {
  const command = program
    .command('merge')
    .description('merge an adapter into its base model and write a Hugging Face folder')
    .requiredOption('--model <model>', 'base model: folder, .gguf file, hub id or embedded:tiny')
    .requiredOption('--adapter <folder>', 'adapter folder of PEFT or of a run')
    .requiredOption('--out <folder>', 'new folder for the model')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nThe merged model is written in float32, whatever the format of the base.');
  withEngineOptions(command).action(merge);
}

async function merge(flags: MergeFlags): Promise<void> {
  const out = resolve(flags.out);
  checkNewFolder(out);
  const progress = progressDisplay();
  const base = await findModelFiles(flags.model, '.', progress);
  const saved = openAdapter(flags.adapter, architectureOfFiles(base), { files: base, onWarning: progress.warn });
  const files = filesForAdapter(base, saved, progress.warn);
  checkMergeable(saved);

  await openBackend({ ...engineOf(flags), onWarning: progress.warn });
  const model = loadModel(files, {
    onProgress: (done, total) => progress.progress('load', done, total, files.reference),
    onWarning: progress.warn,
  });
  const adapter = loadAdapter(saved, model);
  const merged = adapter.merge()!;
  progress.finish();
  await writeModelFolder(out, model, files, merged);
  const answer = { folder: out, peft_type: saved.attached.method.peftType, changed_parameters: merged.size };
  printAnswer(answer, flags.json, () => out);

  tf.dispose([...merged.values()]);
  adapter.dispose();
  model.dispose();
  saved.close();
  files.close();
}

function checkMergeable({ attached: { method }, folder }: SavedAdapter): void {
  if (method.merge) return;
  throw new InputError(
    `${method.peftType} adds parts that can't be expressed as weights of the model, so it can't be merged`,
    {
      file: folder,
      hint: 'Use the adapter with its base: tunewright generate --model M --adapter A.',
    },
  );
}
