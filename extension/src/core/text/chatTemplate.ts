// Renders chats with the model's Jinja template. Called for training rows (encodeChat.ts), by generation and by the preview.
// Never invents a layout: a model without a template is an error.
import type { ChatMessage } from '../data/example.js';
import { InputError } from '../inputError.js';
import { JinjaTemplate } from './jinja/jinjaTemplate.js';
import { TemplateError } from './jinja/templateError.js';
import type { TextTokenizer } from './textTokenizer.js';

export interface RenderChatOptions {
  /** End with the header of an assistant turn, for the model to continue. */
  addGenerationPrompt?: boolean;
  /** JSON schemas of the functions that the model may call. */
  tools?: unknown[];
  /** Jinja source to use instead of the model's own. */
  template?: string | null;
}

/**
 * Renders `messages` as Transformers' `apply_chat_template(tokenize=False)` does. In the template's scope: `messages`, `tools`,
 * `add_generation_prompt`, the special tokens by their names (`bos_token`, ...), `raise_exception`, `strftime_now`.
 * @throws InputError if there is no template, and if the template fails or rejects the messages
 */
export function renderChat(tokenizer: TextTokenizer, messages: ChatMessage[], options: RenderChatOptions = {}): string {
  const source = options.template ?? tokenizer.chatTemplate;
  if (source === null) {
    throw new InputError('the model has no chat template, which is required for conversations', {
      hint:
        'Set dataset.chat_template to a Jinja file, use the instruct version of the model, or use rows of the formats ' +
        'prompt_completion or text.',
    });
  }
  try {
    return parseTemplate(source).render({
      ...tokenizer.specialTokens,
      messages,
      tools: options.tools ?? null,
      documents: null,
      add_generation_prompt: options.addGenerationPrompt ?? false,
    }).text;
  } catch (error) {
    throw new InputError(`the chat template failed${lineOf(error)}: ${(error as Error).message}`, {
      hint: 'Change the messages as the template requires, or set dataset.chat_template to another Jinja file.',
    });
  }
}

function lineOf(error: unknown): string {
  return error instanceof TemplateError && error.line !== null ? ` in line ${error.line}` : '';
}

const parsedTemplates = new Map<string, JinjaTemplate>();

function parseTemplate(source: string): JinjaTemplate {
  let template = parsedTemplates.get(source);
  if (!template) {
    template = new JinjaTemplate(source);
    parsedTemplates.set(source, template);
  }
  return template;
}
