// `tunewright combine`: combines LoRA adapters as PEFT's `add_weighted_adapter` does, and writes a PEFT folder.
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { InputError } from '../../core/inputError.js';
import { checkNewFolder } from '../files/newFolder.js';
import { combineAdapters, type WeightedAdapter } from '../peft/combineAdapters.js';
import { combinationTypes, MAJORITY_SIGN_METHODS, type CombinationOptions } from '../peft/combineLora.js';
import { nonNegativeNumber, positiveNumber, probability, wholeNumber } from './engineOptions.js';
import { progressDisplay } from './progressDisplay.js';
import { printAnswer } from './print.js';

interface CombineFlags {
  adapter: string[];
  combinationType: CombinationOptions['combination_type'];
  density?: number;
  majoritySignMethod?: CombinationOptions['majority_sign_method'];
  svdRank?: number;
  svdClamp?: number;
  svdFullMatrices?: unknown;
  svdDriver?: unknown;
  seed?: number;
  out: string;
  json?: boolean;
}

export function registerCombineCommand(program: Command): void {
  program
    .command('combine')
    .description('combine LoRA adapters of one base model by weight, as PEFT does, into a new adapter')
    .requiredOption(
      '--adapter <folder=weight...>',
      'adapter folder and its weight, which may be negative; once for each',
    )
    .addOption(
      peftOption('combination_type', '<type>', 'how; cat is the exact weighted sum, svd its best approximation')
        .choices(combinationTypes)
        .default('svd'),
    )
    .addOption(
      new Option('--density <p>', 'fraction of the values to keep: ties, dare, magnitude_prune').argParser(
        nonNegativeNumber,
      ),
    )
    .addOption(
      peftOption('majority_sign_method', '<method>', 'whose sign counts: ties, dare_ties (default: total)').choices(
        MAJORITY_SIGN_METHODS,
      ),
    )
    .addOption(
      peftOption('svd_rank', '<r>', 'rank of the result: svd and ..._svd (default: the largest)').argParser(
        positiveNumber,
      ),
    )
    .addOption(
      peftOption('svd_clamp', '<p>', 'clamp values above this quantile: svd and ..._svd').argParser(probability),
    )
    .addOption(peftOption('svd_full_matrices', '[value]', '').hideHelp())
    .addOption(peftOption('svd_driver', '<name>', '').hideHelp())
    .option('--seed <n>', 'which values DARE keeps (default: 0)', wholeNumber)
    .requiredOption('--out <folder>', 'new folder for the adapter')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
No base model is needed. Only LoRA adapters without DoRA, biases and saved modules can be combined.

  tunewright combine --adapter runs/a/adapter=0.7 --adapter runs/b/adapter=0.3 --combination_type cat --out both`,
    )
    .action(combine);
}

async function combine(flags: CombineFlags): Promise<void> {
  refuseWithoutEffect(flags);
  const out = resolve(flags.out);
  checkNewFolder(out);
  const adapters = flags.adapter.map(weighted);
  const progress = progressDisplay();
  const { combinationType, rank, modules } = await combineAdapters({
    adapters,
    options: {
      combination_type: flags.combinationType,
      density: flags.density,
      majority_sign_method: flags.majoritySignMethod,
      svd_rank: flags.svdRank,
      svd_clamp: flags.svdClamp,
      seed: flags.seed,
    },
    out,
    onWarning: progress.warn,
    onProgress: (done, total) => progress.progress('combine', done, total),
  });
  progress.finish();
  const answer = { folder: out, adapters, combination_type: combinationType, r: rank, modules };
  printAnswer(answer, flags.json, () => out);
}

/** An option with PEFT's name, also as the other commands would spell it. */
function peftOption(name: string, value: string, description: string): Option {
  return new Option(`--${name}, --${name.replaceAll('_', '-')} ${value}`, description);
}

/** The weight is what follows the last "=", since a path may have some too. */
function weighted(text: string): WeightedAdapter {
  const end = text.lastIndexOf('=');
  const weight = end < 1 ? '' : text.slice(end + 1).trim();
  if (weight === '' || !Number.isFinite(Number(weight)))
    throw new InputError(`"${text}" is not a folder and its weight`, {
      key: '--adapter',
      hint: 'Write the weight behind the folder: --adapter runs/a/adapter=0.7',
    });
  return { folder: text.slice(0, end), weight: Number(weight) };
}

function refuseWithoutEffect({ svdFullMatrices, svdDriver }: CombineFlags): void {
  const refuse = (key: string, reason: string) => {
    throw new InputError(`${key} has no effect here: ${reason}`, { key, hint: 'Leave it out.' });
  };
  if (svdFullMatrices !== undefined) refuse('svd_full_matrices', 'only the first svd_rank singular vectors are used');
  if (svdDriver !== undefined) refuse('svd_driver', 'it chooses between solvers of CUDA');
}
