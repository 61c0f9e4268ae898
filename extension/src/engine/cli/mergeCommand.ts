// `tunewright merge`: merges adapters into their base and writes the model as a Hugging Face folder or as GGUF. Without an adapter it
// converts the model.
import { resolve } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { InputError } from '../../core/inputError.js';
import { bytes as sizeText } from '../../core/units.js';
import { openBackend } from '../backend/openBackend.js';
import { ggufModelTypes, ggufTouchedTypes } from '../export/ggufTypes.js';
import { checkNewFolder } from '../files/newFolder.js';
import { architectureOfFiles } from '../models/loadModel.js';
import { openAdapter, type SavedAdapter } from '../peft/adapterFiles.js';
import { checkNewGguf, mergeIntoFolder, mergeIntoGguf, type WrittenGguf } from '../run/mergeModel.js';
import { findModelFiles } from '../run/openModel.js';
import { engineOf, withEngineOptions, type EngineFlags } from './engineOptions.js';
import { progressDisplay } from './progressDisplay.js';
import { printAnswer } from './print.js';

interface MergeFlags extends EngineFlags {
  model: string;
  adapter?: string[];
  out: string;
  type?: string;
  touched?: string;
  compare: boolean;
  generalTexts?: string;
  dtype?: keyof typeof DTYPES;
  maxShardSize?: number;
  force?: boolean;
  json?: boolean;
}

const DTYPES = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' } as const;

/** As in Transformers and huggingface_hub: decimal units. */
const UNITS: Readonly<Record<string, number>> = { KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };

export function registerMergeCommand(program: Command): void {
  const types = Object.keys(ggufModelTypes);
  const command = program
    .command('merge')
    .description('merge adapters into their base model, or convert a model, and write a Hugging Face folder or GGUF')
    .requiredOption('--model <model>', 'base model: folder, .gguf file, hub id or embedded:tiny')
    .option('--adapter <folder...>', 'adapter folder of PEFT or of a run; several are merged in this order')
    .requiredOption('--out <path>', 'new folder, or a file that ends in .gguf')
    .addOption(
      new Option('--type <type>', 'GGUF: type of the matrices; own: that of the base (default: own)').choices([
        'own',
        ...types,
      ]),
    )
    .addOption(
      new Option('--touched <type>', 'GGUF: type of the matrices that an adapter changes (default: --type)').choices(
        Object.keys(ggufTouchedTypes),
      ),
    )
    .option('--no-compare', 'GGUF: don’t measure what the rounding changes')
    .option('--general-texts <file>', 'GGUF: rows to measure on instead of the bundled texts')
    .addOption(
      new Option('--dtype <dtype>', 'folder: type of all tensors (default: float32)').choices(Object.keys(DTYPES)),
    )
    .option('--max-shard-size <size>', 'folder: largest file of weights, such as 5GB (default: 50GB)', shardSize)
    .option('--force', 'replace an existing .gguf file')
    .option('--json', 'print one JSON object');
  withEngineOptions(command).action(merge);
}

function shardSize(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([KMGT]B)$/i.exec(text.trim()) ?? [];
  const size = Math.floor(Number(number) * UNITS[unit?.toUpperCase() ?? '']);
  if (!(size > 0)) throw new InvalidArgumentError('must be a size such as 500MB or 5GB');
  return size;
}

async function merge(flags: MergeFlags): Promise<void> {
  const out = resolve(flags.out);
  const toGguf = out.toLowerCase().endsWith('.gguf');
  checkFlags(flags, toGguf);
  if (toGguf) checkNewGguf(out, null, flags.force ?? false);
  else checkNewFolder(out);
  const progress = progressDisplay();
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupt);
  const base = await findModelFiles(flags.model, '.', progress);
  const saved: SavedAdapter[] = [];
  try {
    const architecture = architectureOfFiles(base);
    for (const folder of flags.adapter ?? [])
      saved.push(openAdapter(folder, architecture, { files: base, onWarning: progress.warn }));
    await openBackend({ ...engineOf(flags), onWarning: progress.warn });
    const options = { reporter: progress, signal: stop.signal };
    const methods = saved.map(({ attached }) => attached.method.peftType);
    const facts = { peft_type: methods.length > 1 ? methods : (methods[0] ?? null) };
    if (toGguf) {
      const { changed, ...written } = await mergeIntoGguf(out, base, saved, {
        ...options,
        type: flags.type ?? 'own',
        touched: flags.touched ?? null,
        force: flags.force ?? false,
        compare: flags.compare,
        generalTexts: flags.generalTexts === undefined ? null : resolve(flags.generalTexts),
      });
      progress.finish();
      printAnswer({ file: out, ...facts, changed_parameters: changed, ...written }, flags.json, () =>
        ggufText(out, written),
      );
    } else {
      const changed = await mergeIntoFolder(out, base, saved, {
        ...options,
        dtype: DTYPES[flags.dtype ?? 'float32'],
        maxShardBytes: flags.maxShardSize ?? 50e9,
      });
      progress.finish();
      printAnswer({ folder: out, ...facts, changed_parameters: changed }, flags.json, () => out);
    }
  } finally {
    progress.finish();
    for (const each of saved) each.close();
    base.close();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt);
  }
}

/** @throws InputError on an option of the other kind of result */
function checkFlags(flags: MergeFlags, toGguf: boolean): void {
  const ofGguf = { type: '--type', touched: '--touched', generalTexts: '--general-texts', force: '--force' } as const;
  const ofFolder = { dtype: '--dtype', maxShardSize: '--max-shard-size' } as const;
  const given = <Key extends keyof MergeFlags>(options: Record<Key, string>) =>
    (Object.keys(options) as Key[]).filter(key => flags[key] !== undefined).map(key => options[key])[0];
  const [other, hint] = toGguf
    ? [given(ofFolder), 'It belongs to a folder: for GGUF, choose the type with --type.']
    : [given(ofGguf), 'It belongs to GGUF: let the name after --out end in .gguf.'];
  if (other) throw new InputError('this option has no effect here', { key: other, hint });
  if (flags.touched !== undefined && !flags.adapter)
    throw new InputError('without an adapter no matrix is changed', { key: '--touched', hint: 'Use --type.' });
}

function ggufText(out: string, { bytes, types, rounding }: WrittenGguf): string {
  const counts = Object.entries(types).map(([type, count]) => `${count} ${type}`);
  const lines = [out, `${sizeText(bytes)}, tensors: ${counts.join(', ')}`];
  if (rounding) {
    const { kl, adapter_kl: adapter, label_tokens: tokens } = rounding;
    const from = adapter === null ? 'the original' : 'base + adapter';
    const moved = adapter === null ? '' : `; the adapter has moved the base by ${adapter.toFixed(4)}`;
    lines.push(`KL divergence from ${from}: ${kl.toFixed(5)} nats per token (${tokens} tokens)${moved}`);
  }
  return lines.join('\n');
}
