// `tunewright generate`: one base model, and any number of adapters answering the same prompt in turn.
import type { Command } from 'commander';
import { createRng } from '../data/rng.js';
import { Decoder } from '../generation/generate.js';
import type { Adapter } from '../peft/adapter.js';
import { loadAdapter, openAdapter } from '../peft/adapterFiles.js';
import { openModel, openModelFiles, promptIds, stopTokenIds } from '../run/openModel.js';
import {
  engineOf,
  finiteNumber,
  weightsOf,
  wholeNumber,
  withEngineOptions,
  withWeightOptions,
  type EngineFlags,
  type WeightFlags,
} from './engineOptions.js';
import { progressDisplay } from './progressDisplay.js';

interface GenerateFlags extends EngineFlags, WeightFlags {
  model: string;
  adapter?: string[];
  base?: boolean;
  prompt: string;
  system?: string;
  maxNewTokens: number;
  temperature: number;
  topP: number;
  seed: number;
  json?: boolean;
}

export function registerGenerateCommand(program: Command): void {
  const command = program
    .command('generate')
    .description('answer a prompt, with or without adapters')
    .requiredOption('--model <model>', 'folder, .gguf file, hub id or embedded:tiny')
    .option('--adapter <folder...>', 'adapter; several answer in turn, on one base')
    .option('--base', 'the model without an adapter answers first')
    .requiredOption('--prompt <text>', 'a chat turn where the model knows chats, else text to go on from')
    .option('--system <text>', 'system message')
    .option('--max-new-tokens <count>', 'longest answer', wholeNumber, 128)
    .option('--temperature <t>', '0 always takes the likeliest token', finiteNumber, 0)
    .option('--top-p <p>', 'sample from the likeliest tokens of this probability', finiteNumber, 1)
    .option('--seed <n>', 'seed of the sampling', wholeNumber, 42)
    .option('--json', 'print one JSON object');
  withWeightOptions(withEngineOptions(command)).action(run);
}

async function run(flags: GenerateFlags): Promise<void> {
  const progress = progressDisplay();
  const onDisk = await openModelFiles(flags.model, '.', progress);
  const opened = await openModel(onDisk, { ...engineOf(flags), ...weightsOf(flags) }, progress);
  progress.finish();
  const { model, tokenizer, architecture, backend } = opened;
  const ids = promptIds(tokenizer, flags.prompt, flags.system);
  const streams = !flags.json && process.stdout.isTTY;

  const answer = async (adapter: Adapter | null) => {
    const tokens: number[] = [];
    let shown = '';
    const onToken = (id: number) => {
      tokens.push(id);
      const text = tokenizer.decode(tokens, { skipSpecialTokens: true });
      // A character may take several tokens; its first ones decode to a replacement character.
      if (text.endsWith('\uFFFD')) return;
      process.stdout.write(text.slice(shown.length));
      shown = text;
    };
    const compile = backend.name === 'tensorflow';
    const decoder = new Decoder({ model, adapter, compile, onWarning: progress.warn });
    const began = performance.now();
    const times: number[] = [];
    const out = await decoder.generate(ids, {
      maxNewTokens: flags.maxNewTokens,
      stopTokenIds: stopTokenIds(opened),
      temperature: flags.temperature,
      topP: flags.topP,
      rng: createRng(flags.seed),
      onToken: id => {
        times.push(performance.now());
        if (streams) onToken(id);
      },
    });
    decoder.dispose();
    const text = tokenizer.decode(out, { skipSpecialTokens: true }).trim();
    const seconds = (performance.now() - began) / 1000;
    return {
      text,
      num_tokens: out.length,
      tokens_per_second: out.length / seconds,
      first_token_ms: times.length > 0 ? times[0]! - began : null,
      median_token_ms: times.length > 1 ? median(times.slice(1).map((time, i) => time - times[i]!)) : null,
    };
  };

  const adapters = flags.adapter ?? [];
  const answering = flags.base || adapters.length === 0 ? [null, ...adapters] : adapters;
  const results = [];
  for (const folder of answering) {
    if (answering.length > 1 && !flags.json) console.log(`\n[${folder ?? 'base'}]`);
    const saved = folder === null ? null : openAdapter(folder, architecture);
    const adapter = saved && loadAdapter(saved, model);
    saved?.close();
    const result = { adapter: folder, ...(await answer(adapter)) };
    adapter?.dispose();
    if (!flags.json) console.log(streams ? '' : result.text);
    results.push(result);
  }
  if (flags.json) console.log(JSON.stringify({ model: flags.model, prompt: flags.prompt, answers: results }, null, 2));
  model.dispose();
  opened.files.close();
}

/** The lower one of an even number. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[(values.length - 1) >> 1]!;
}
