// `tunewright generate`: one base model and any number of adapters answer the same prompt in turn.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { AdapterFacts } from '../../protocol/sessionMessages.js';
import { promptTurns } from '../generation/prompt.js';
import type { Session } from '../generation/session.js';
import { openSession } from '../run/openSession.js';
import {
  engineOf,
  nonNegativeNumber,
  positiveNumber,
  probability,
  weightsOf,
  wholeNumber,
  withEngineOptions,
  withWeightOptions,
  type EngineFlags,
  type WeightFlags,
} from './engineOptions.js';
import { progressDisplay } from './progressDisplay.js';
import { print, printJson, printPart } from './print.js';

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
    .option('--adapter <folder...>', 'adapter or checkpoint; several answer in turn on the same base')
    .option('--base', 'also answer without an adapter, first')
    .requiredOption('--prompt <text>', 'user message if the model has a chat template, else text to continue')
    .option('--system <text>', 'system message')
    .option('--max-new-tokens <count>', 'longest answer in tokens', positiveNumber, 128)
    .option('--temperature <t>', '0: greedy, always the most likely token', nonNegativeNumber, 0)
    .option('--top-p <p>', 'sample from the most likely tokens with this total probability', probability, 1)
    .option('--seed <n>', 'seed for sampling', wholeNumber, 42)
    .option('--json', 'print one JSON object');
  withWeightOptions(withEngineOptions(command)).action(run);
}

async function run(flags: GenerateFlags): Promise<void> {
  const progress = progressDisplay();
  const settings = { model: flags.model, folder: '.', ...engineOf(flags), ...weightsOf(flags) };
  const folders = (flags.adapter ?? []).map(path => ({ name: resolve(path), path }));
  const session = await openSession(settings, folders, progress).finally(() => progress.finish());
  const adapters = session.adapters();
  const answering = flags.base || adapters.length === 0 ? [null, ...adapters] : adapters;
  const streams = !flags.json && process.stdout.isTTY;
  const results = [];
  for (const adapter of answering) {
    if (answering.length > 1 && !flags.json) print(`\n[${adapter?.path ?? 'base'}]`);
    const result = { adapter: adapter?.path ?? null, ...(await timedAnswer(session, adapter, flags, streams)) };
    if (!flags.json) print(streams ? '' : result.text);
    results.push(result);
  }
  if (flags.json) printJson({ model: flags.model, prompt: flags.prompt, answers: results }, 2);
  session.dispose();
}

/** @param streams whether the answer is printed while it is generated */
async function timedAnswer(session: Session, adapter: AdapterFacts | null, flags: GenerateFlags, streams: boolean) {
  const { prompt, system, maxNewTokens, temperature, topP, seed } = flags;
  const times: number[] = [];
  const began = performance.now();
  const { text, token_ids: tokenIds } = await session.generate(
    {
      messages: promptTurns(prompt, system),
      adapters: adapter === null ? [] : [{ name: adapter.name }],
      sampling: { max_new_tokens: maxNewTokens, temperature, top_p: topP, seed },
    },
    {
      onToken: () => void times.push(performance.now()),
      ...(streams && { onPiece: ({ text }) => printPart(text) }),
    },
  );
  const seconds = (performance.now() - began) / 1000;
  return {
    text: text.trim(),
    num_tokens: tokenIds.length,
    tokens_per_second: tokenIds.length / seconds,
    first_token_ms: times.length > 0 ? times[0]! - began : null,
    median_token_ms: times.length > 1 ? median(times.slice(1).map((time, i) => time - times[i]!)) : null,
  };
}

/** The lower of the two middle values if their number is even. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[(values.length - 1) >> 1]!;
}
