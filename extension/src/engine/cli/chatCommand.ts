// `tunewright chat`: a conversation in a terminal with one base and its adapters. A line is a turn, or a command that begins with
// `/`; lines of a pipe are read one after the other. The conversation itself is chat.ts.
import type { Command } from 'commander';
import { CancelledError, describeError } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import { Chat, type Reply } from './chat.js';
import { failureRecord } from './failure.js';
import { lineReader, print, printDimPart, printJson, printNote, printPart } from './print.js';
import { sessionOf, withSessionOptions, type SessionFlags } from './sessionOptions.js';

interface ChatFlags extends SessionFlags {
  system?: string;
  json?: boolean;
}

export function registerChatCommand(program: Command): void {
  const command = program.command('chat').description('talk with a model and its adapters; each line is a turn');
  withSessionOptions(command)
    .option('--system <text>', 'system message')
    .option('--json', 'print one JSON object per answer')
    .addHelpText(
      'after',
      '\nWhile it runs, /help lists the commands. Ctrl-C stops an answer, a second one ends the chat.',
    )
    .action(chat);
}

async function chat(flags: ChatFlags): Promise<void> {
  const session = await sessionOf(flags);
  const talk = new Chat(session, flags.system);
  const lines = lineReader('> ');
  const terminal = process.stdin.isTTY ?? false;
  let stop: AbortController | null = null;
  let interrupted = false;
  let left = false;
  const leave = () => {
    left = true;
    stop?.abort();
    lines.close();
  };
  const interrupt = () => {
    if (interrupted) return leave();
    interrupted = true;
    if (stop) return stop.abort();
    printNote('\nCtrl-C again ends the chat.');
    prompt();
  };
  const prompt = () => {
    // A prompt would open the input again.
    if (terminal && !left) lines.prompt();
  };
  lines.on('SIGINT', interrupt);
  process.on('SIGINT', interrupt);
  // Ctrl-D. The end of a pipe comes long before its answers.
  if (terminal) lines.once('close', leave);
  if (terminal) printNote(`${talk.describe()}  /help lists the commands.`);
  prompt();
  try {
    for await (const line of lines) {
      if (left) break;
      interrupted = false;
      stop = new AbortController();
      try {
        await turn(talk, line, stop.signal, flags.json ?? false);
      } catch (error) {
        if (!(error instanceof InputError) && !(error instanceof CancelledError)) throw error;
        const record = failureRecord(error);
        if (flags.json) printJson({ type: 'error', ...record });
        const stopped = left ? '\n[stopped]' : '\n[stopped; Ctrl-C again ends the chat]';
        printNote(error instanceof CancelledError ? stopped : `error: ${describeError(record)}`);
        if (!terminal && error instanceof InputError) process.exitCode = 2;
      }
      stop = null;
      if (talk.ended) break;
      prompt();
    }
  } finally {
    process.off('SIGINT', interrupt);
    lines.close();
    session.dispose();
  }
}

async function turn(talk: Chat, line: string, signal: AbortSignal, json: boolean): Promise<void> {
  let reasons = false;
  const reply = await talk.enter(line, {
    signal,
    ...(!json && {
      onPiece: ({ text, reasoning }) => {
        if (reasoning !== '') printDimPart(reasoning);
        if (text !== '' && reasons) print('\n');
        reasons = reasoning !== '';
        printPart(text);
      },
    }),
  });
  if (reply === null) return;
  if (reply.kind === 'note') return printNote(reply.text);
  if (json) return printJson(jsonOf(reply));
  for (const { name, arguments: text } of reply.answer.tool_calls) printPart(`\n[calls ${name}(${text})]`);
  print('');
  if (reply.answer.dropped_turns > 0)
    printNote(`[the first ${reply.answer.dropped_turns} turns no longer fit and were left out; /clear begins anew]`);
  if (reply.answer.finish_reason === 'length')
    printNote('[the answer is cut: max_new_tokens, or the end of the context]');
}

function jsonOf({ model, answer }: Extract<Reply, { kind: 'answer' }>): object {
  const { logprobs: _logprobs, token_ids: _ids, ...shown } = answer;
  return { type: 'answer', model, ...shown };
}
