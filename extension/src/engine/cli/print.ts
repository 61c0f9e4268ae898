// All that a command writes to a terminal. Texts come from rows, models and answers too, so control characters are made visible:
// none can move the cursor, retitle the window or fake a line. Nothing else in the engine writes to standard output or error
// (test/unit/engine/cli/print.test.ts).
import { createInterface, type Interface } from 'node:readline';
import { Presets, SingleBar, type Options } from 'cli-progress';
import { visibleControls } from '../../core/harmlessText.js';
import { InputError } from '../../core/inputError.js';

/** 128 + SIGPIPE, as a shell reports it. */
const SIGPIPE_EXIT_CODE = 141;

let outputIsResult = true;

/** For a command whose results are in files, or that serves others: it goes on when standard output can't be written any more. */
export function goOnWithoutOutput(): void {
  outputIsResult = false;
}

/**
 * What happens when a text can't be written: `tunewright ... | head` has closed the pipe, the disk or the terminal is gone. Standard
 * error has no results and is done without; without standard output a command ends, as others do by SIGPIPE.
 * @param end called with any other error of standard output
 */
export function watchOutput(end: (error: Error) => void): void {
  process.stderr.on('error', () => {});
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!outputIsResult) return;
    if (error.code === 'EPIPE') process.exit(SIGPIPE_EXIT_CODE);
    end(new InputError(`it can’t be written: ${error.message}`, { file: 'standard output' }));
  });
}

/** A line of the result, on standard output. */
export function print(text: string): void {
  printPart(`${text}\n`);
}

/** A piece of the result without a line end, for text that is printed while it is generated. */
export function printPart(text: string): void {
  process.stdout.write(visibleControls(text));
}

/** The same, dimmed on a terminal: what belongs to the result but isn't the answer itself. */
export function printDimPart(text: string): void {
  const shown = visibleControls(text);
  process.stdout.write(process.stdout.isTTY ? `\x1b[2m${shown}\x1b[22m` : shown);
}

/** Reads lines that a person types or a pipe brings. @param prompt shown on a terminal before each line */
export function lineReader(prompt: string): Interface {
  const terminal = process.stdin.isTTY && process.stdout.isTTY;
  return createInterface({ input: process.stdin, output: terminal ? process.stdout : undefined, terminal, prompt });
}

/** The result for programs: one line of JSON, or indented by `space`. */
export function printJson(value: unknown, space?: number): void {
  // JSON.stringify escapes C0 only; terminals obey delete and C1 too.
  const text = JSON.stringify(value, null, space);
  process.stdout.write(`${text.replace(/[\u007f-\u009f]/g, c => `\\u00${c.charCodeAt(0).toString(16)}`)}\n`);
}

/** The result as JSON for programs, else as text. */
export function printAnswer<T>(answer: T, json: boolean | undefined, text: (answer: T) => string): void {
  if (json) printJson(answer);
  else print(text(answer));
}

/** A line that is no result (progress, warnings, errors), on standard error. */
export function printNote(text: string): void {
  process.stderr.write(`${visibleControls(text)}\n`);
}

export interface ProgressBar {
  start(total: number, done: number, payload: Record<string, string>): void;
  setTotal(total: number): void;
  update(done: number, payload: Record<string, string>): void;
  stop(): void;
}

/** A bar on standard error. @param format of cli-progress; `{name}` is the value of that name in the payload */
export function progressBar(format: string, options: Options = {}): ProgressBar {
  const bar = new SingleBar({ format, hideCursor: true, ...options }, Presets.shades_classic);
  const shown = (payload: Record<string, string>) =>
    Object.fromEntries(Object.entries(payload).map(([name, value]) => [name, visibleControls(value)]));
  return {
    start: (total, done, payload) => bar.start(total, done, shown(payload)),
    setTotal: total => bar.setTotal(total),
    update: (done, payload) => bar.update(done, shown(payload)),
    stop: () => bar.stop(),
  };
}
