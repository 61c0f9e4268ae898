// The command line that runs an exported GGUF with llama.cpp, to be copied into a terminal: the file's own chat template, an adapter
// by --lora, names quoted for the shell. Used by the command line and by webviews.

import type { Exported } from '../../protocol/exportAnswers.js';

export type Shell = 'posix' | 'powershell';

export interface LlamaCppUse {
  /** llama-server opens a page in the browser and an API; llama-cli talks in the terminal. */
  program: 'llama-cli' | 'llama-server';
  /** GGUF file of the model. */
  model: string;
  /** GGUF file of an adapter (target adapter_gguf). */
  lora?: string | null;
  /** Whether the model has a chat template; without one it continues texts. */
  hasChatTemplate: boolean;
  shell: Shell;
}

/**
 * `--jinja` renders the template of the file itself; builds of llama.cpp where that isn't the default take one of their own that
 * resembles it. Without a template, llama-cli leaves the continuation of texts to llama-completion.
 */
export function llamaCppCommand({ program, model, lora, hasChatTemplate, shell }: LlamaCppUse): string {
  const continues = program === 'llama-cli' && !hasChatTemplate;
  const options = continues ? ['-no-cnv', '-p', 'Once upon a time'] : program === 'llama-cli' ? ['-cnv'] : [];
  const words = [
    continues ? 'llama-completion' : program,
    '-m',
    fileName(model),
    ...(lora ? ['--lora', fileName(lora)] : []),
    ...(hasChatTemplate ? ['--jinja'] : []),
    ...options,
  ];
  return words.map(word => quoted(word, shell)).join(' ');
}

/** The command that runs a finished export; null if it isn't for llama.cpp. */
export function commandOfExport(
  { path, llama_cpp: use }: Pick<Exported, 'path' | 'llama_cpp'>,
  { program, shell }: Pick<LlamaCppUse, 'program' | 'shell'>,
): string | null {
  if (!use || path === null) return null;
  const files = use.base === null ? { model: path } : { model: use.base, lora: path };
  return llamaCppCommand({ ...files, program, shell, hasChatTemplate: use.has_chat_template });
}

/** A relative name that begins like an option, as one that doesn't. */
function fileName(path: string): string {
  return path.startsWith('-') ? `./${path}` : path;
}

/** A word of a command line, so that the shell passes on exactly these characters. */
export function quoted(word: string, shell: Shell): string {
  if (shell === 'posix')
    return /^[A-Za-z0-9_./-][A-Za-z0-9_./:=@%+,-]*$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
  // PowerShell takes typographic apostrophes for apostrophes, too, and divides `-a.b` at the dot.
  return /^(?:-{1,2}[A-Za-z-]+|[A-Za-z0-9_./\\][A-Za-z0-9_./:\\-]*)$/.test(word)
    ? word
    : `'${word.replaceAll(/['\u2018-\u201b]/g, apostrophe => apostrophe + apostrophe)}'`;
}
