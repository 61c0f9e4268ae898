// What llama.cpp's programs are told of a written file, from which core/exports/llamaCppCommand.ts makes a command. Called by the targets
// that it reads.
import { templatesOf } from '../../core/text/namedTemplates.js';
import type { Exported } from '../../protocol/exportAnswers.js';
import type { ExportSource } from './exportSource.js';

type LlamaCppUse = NonNullable<Exported['llama_cpp']>;

/** Of a merged model, which may have an adapter's chat template. */
export function modelForLlamaCpp({ base, adapters }: ExportSource): LlamaCppUse {
  const templates = [base.tokenizer?.config['chat_template'], ...adapters.map(({ chatTemplate }) => chatTemplate)];
  return { base: null, has_chat_template: templates.some(hasTemplate) };
}

/** Of an adapter, whose base is another file with its own chat template. */
export function adapterForLlamaCpp({ base: { format, path, tokenizer } }: ExportSource): LlamaCppUse {
  return {
    base: format === 'gguf' ? path : 'BASE.gguf',
    has_chat_template: hasTemplate(tokenizer?.config['chat_template']),
  };
}

function hasTemplate(template: unknown): boolean {
  return templatesOf(template).chatTemplate !== null;
}
