// Asks an installed model the sample prompts of its run, greedily, and the same model here. Called after an installation, which is done
// then: what can't be asked is said and ends nothing.
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { CodedError } from '../../core/codedError.js';
import {
  finishOf,
  installedAnswers,
  isSameAnswer,
  type Answer,
  type AskedPrompt,
  type InstalledFacts,
} from '../../core/exports/installedAnswers.js';
import { isMark } from '../../core/text/endTokens.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import type { InstalledAnswers } from '../../protocol/installedAnswers.js';
import { runConfigSchema } from '../../protocol/runConfig.js';
import { sessionOptionsSchema } from '../../protocol/sessionMessages.js';
import type { ModelFiles } from '../files/tensorSource.js';
import { promptTurns, wholePrompt } from '../generation/prompt.js';
import type { Session } from '../generation/session.js';
import { endTokensOf } from '../models/endTokens.js';
import { filesForAdapter } from '../peft/adapterTokenizer.js';
import { openSession } from '../run/openSession.js';
import { tokenizerOf } from '../run/openModel.js';
import { readRunFile } from '../run/readRunFile.js';
import { silentReporter, type Reporter } from '../run/reporter.js';
import type { ExportSource } from './exportSource.js';

/** How a merged model reads and ends texts. */
export interface ServedLanguage {
  tokenizer: TextTokenizer;
  hasChatTemplate: boolean;
  /** Texts of the special tokens that end an answer. */
  stops: string[];
  bos: string | null;
  generationConfig: Record<string, unknown>;
}

export function servedLanguage({ base, adapters }: ExportSource): ServedLanguage {
  const files = adapters.reduce<ModelFiles>((each, saved) => filesForAdapter(each, saved, () => {}), base);
  const tokenizer = tokenizerOf(files);
  const ends = files.tokenizer ? endTokensOf({ tokenizer, files }) : [];
  return {
    tokenizer,
    hasChatTemplate: tokenizer.chatTemplate !== null,
    stops: ends.filter(id => isMark(tokenizer, id)).map(id => tokenizer.decode([id])),
    bos: tokenizer.specialTokens['bos_token'] ?? null,
    generationConfig: files.generationConfig ?? {},
  };
}

/** Greedy decoding, as both sides are asked. */
export interface Asking {
  maxNewTokens: number;
  seed: number;
  /** Whether a prompt is a turn of a chat; else a text to continue. */
  isChat: boolean;
}

export interface Questions {
  source: ExportSource;
  language: ServedLanguage;
  /** The written file. */
  file: string;
  /** Asks the installed model. */
  ask: (prompt: string, asking: Asking) => Promise<Answer>;
  facts: Omit<InstalledFacts, 'bos' | 'stops'>;
  reporter: Reporter;
  signal: AbortSignal;
}

/** For a model without a run, or a run without prompts. */
const PROMPTS = ['Hello! Who are you?', 'Name three things that one finds at sea.'];

export async function askInstalled(questions: Questions): Promise<InstalledAnswers> {
  try {
    return await compared(questions);
  } catch (error) {
    return notAsked(questions.facts, whyNotAsked(error, questions.signal));
  }
}

/** @throws the error itself if it is none of the server's answer */
export function whyNotAsked(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'stopped';
  if (error instanceof CodedError) return error.message;
  throw error;
}

export function notAsked(
  { program, version, model }: Pick<InstalledFacts, 'program' | 'version' | 'model'>,
  why: string,
): InstalledAnswers {
  return { program, version, model, answers: [], differences: [], not_asked: why };
}

async function compared({
  source,
  language,
  file,
  ask,
  facts,
  reporter,
  signal,
}: Questions): Promise<InstalledAnswers> {
  const { prompts, maxNewTokens } = samplesOf(source);
  const { tokenizer, hasChatTemplate, stops, bos } = language;
  const asking = { maxNewTokens, seed: 0, isChat: hasChatTemplate };
  // Twice: there and here.
  let done = 0;
  const answered = () => reporter.progress('answer', ++done, 2 * prompts.length, `in ${facts.program} and here`);
  const theirs: Answer[] = [];
  for (const prompt of prompts) {
    theirs.push(await ask(prompt, asking));
    answered();
  }
  const here = (paths: readonly string[], model: string, some: readonly string[], onAnswer: () => void) =>
    answersHere({ model, adapters: paths, prompts: some, tokenizer, asking, signal, onAnswer });
  // Merging one adapter onto another isn't a mixture of both: several are asked as the merged model that was written.
  const folders = source.adapters.map(({ folder }) => folder);
  const isAlone = folders.length < 2;
  const ours = await here(isAlone ? folders : [], isAlone ? source.base.path : file, prompts, answered);
  const asked = prompts.map((prompt, i): AskedPrompt => ({ prompt, ours: ours[i]!, theirs: theirs[i]!, file: null }));
  const different = asked.filter(each => !isSameAnswer(each.ours, each.theirs));
  if (different.length > 0 && isAlone) {
    const answers = await here(
      [],
      file,
      different.map(({ prompt }) => prompt),
      () => {},
    );
    different.forEach((each, i) => (each.file = answers[i]!));
  }
  return installedAnswers(asked, { ...facts, bos, stops });
}

/** The prompts of the run, and how long its answers are. */
function samplesOf({ run }: ExportSource): { prompts: readonly string[]; maxNewTokens: number } {
  const { prompts, max_new_tokens: maxNewTokens } =
    run === null
      ? runConfigSchema.shape.samples.parse(undefined)
      : readRunFile(join(run, 'run.json'), 'refuse').config.samples;
  return { prompts: prompts.length > 0 ? prompts : PROMPTS, maxNewTokens };
}

interface HereQuestions {
  model: string;
  adapters: readonly string[];
  prompts: readonly string[];
  tokenizer: TextTokenizer;
  asking: Asking;
  signal: AbortSignal;
  onAnswer(): void;
}

async function answersHere({
  model,
  adapters,
  prompts,
  tokenizer,
  asking,
  signal,
  onAnswer,
}: HereQuestions): Promise<Answer[]> {
  // The backend that is open already.
  const settings = sessionOptionsSchema.parse({ model, folder: '.', backend: tf.getBackend() });
  const named = adapters.map(path => ({ name: 'adapter', path }));
  const session = await openSession(settings, named, silentReporter);
  try {
    const answers: Answer[] = [];
    for (const prompt of prompts) {
      answers.push(await answerOf(session, prompt, named.length > 0, tokenizer, asking, signal));
      onAnswer();
    }
    return answers;
  } finally {
    session.dispose();
  }
}

async function answerOf(
  session: Session,
  prompt: string,
  hasAdapter: boolean,
  tokenizer: TextTokenizer,
  { maxNewTokens, isChat }: Asking,
  signal: AbortSignal,
): Promise<Answer> {
  const question = isChat ? { messages: promptTurns(prompt) } : { prompt };
  const adapters = hasAdapter ? [{ name: 'adapter' }] : [];
  const request = { ...question, adapters, sampling: { max_new_tokens: maxNewTokens } };
  const { text, reasoning, finish_reason: reason, usage } = await session.generate(request, { signal });
  return {
    text,
    reasoning,
    finish: finishOf(reason),
    promptTokens: usage.prompt_tokens,
    rendered: isChat ? wholePrompt(tokenizer, question).chat : null,
  };
}
