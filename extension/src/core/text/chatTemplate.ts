// Renders chats with the model's Jinja template. Called for training rows (encodeChat.ts), by generation and by the preview.
// Never invents a layout: a model without a template is an error.
import type { ChatMessage } from '../data/example.js';
import { InputError } from '../inputError.js';
import { JinjaTemplate, type RenderedTemplate } from './jinja/jinjaTemplate.js';
import { TemplateError } from './jinja/templateError.js';
import { messageForms, quotesArguments, templateMessages, type MessageForm } from './templateMessages.js';
import type { TemplatePlace, TextTokenizer } from './textTokenizer.js';

export interface RenderChatOptions {
  /** End with the header of an assistant turn, for the model to continue. */
  addGenerationPrompt?: boolean;
  /** JSON schemas of the functions that the model may call. */
  tools?: unknown[];
  /** Texts that the answer may draw on, for templates that have a place for them. */
  documents?: unknown[];
  /** Jinja source to use instead of the model's own. */
  template?: string | null;
  /** Further variables of the template. */
  variables?: Record<string, unknown>;
  /** How the template gets the messages; by default the first form that it can render them from. */
  form?: MessageForm;
}

export interface RenderedChat extends RenderedTemplate {
  form: MessageForm;
}

/** As `renderConversation`, only the text. */
export function renderChat(tokenizer: TextTokenizer, messages: ChatMessage[], options: RenderChatOptions = {}): string {
  return renderConversation(tokenizer, messages, options).text;
}

/**
 * Renders `messages` as Transformers' `apply_chat_template(tokenize=False)` does. In the template's scope: `messages`, `tools`,
 * `add_generation_prompt`, the special tokens by their names (`bos_token`, ...), `raise_exception`, `strftime_now`.
 * @throws InputError if there is no template, if the template fails or rejects the messages, and if it leaves out the tool calls
 *   of a turn that consists of nothing else
 */
export function renderConversation(
  tokenizer: TextTokenizer,
  messages: ChatMessage[],
  options: RenderChatOptions = {},
): RenderedChat {
  const template = templateOf(tokenizer, options);
  let quoting: RenderedChat | null = null;
  let leftOut = false;
  let failure: unknown = null;
  for (const form of options.form ? [options.form] : messageForms(messages)) {
    try {
      const chat = { ...template.render(variablesOf(tokenizer, messages, options, form)), form };
      if (options.form) return chat;
      if (leavesOutCalls(chat)) leftOut = true;
      else if (quotesArguments(messages, chat.text, form)) quoting ??= chat;
      else return chat;
    } catch (error) {
      failure ??= error;
    }
  }
  if (quoting) return quoting;
  if (leftOut) {
    throw new InputError('the chat template leaves out the tool calls of an answer that has nothing else', {
      hint: 'Set dataset.chat_template to a Jinja file that writes tool calls, or write them into the content.',
    });
  }
  throw failed(
    failure,
    null,
    'Change the messages as the template requires, or the template: a run names its own with dataset.chat_template.',
  );

  /** Whether the text is the same without the calls of turns that have no content. */
  function leavesOutCalls({ text, form }: RenderedChat): boolean {
    const isBareCall = ({ tool_calls: calls, content }: ChatMessage) =>
      Array.isArray(calls) && calls.length > 0 && !content;
    if (!messages.some(isBareCall)) return false;
    const without = messages.map(message => (isBareCall(message) ? { ...message, tool_calls: undefined } : message));
    try {
      return template.render(variablesOf(tokenizer, without, options, form)).text === text;
    } catch {
      return false;
    }
  }
}

function templateOf(tokenizer: TextTokenizer, options: RenderChatOptions): JinjaTemplate {
  const source = options.template ?? (options.tools ? tokenizer.toolTemplate : null) ?? tokenizer.chatTemplate;
  if (source === null) {
    throw new InputError('the model has no chat template, which is required for conversations', {
      hint:
        'Set dataset.chat_template to a Jinja file, use the instruct version of the model, or use rows of the formats ' +
        'prompt_completion or text.',
    });
  }
  return checkedTemplate(source, options.template ? null : tokenizer.templatePlace);
}

/** @throws InputError if the source isn't Jinja, with its place */
function checkedTemplate(source: string, place: TemplatePlace | null): JinjaTemplate {
  try {
    return parsedTemplate(source);
  } catch (error) {
    throw failed(error, place, 'Correct it; a run can also name another one with dataset.chat_template.');
  }
}

/** @throws InputError if a template of a model or adapter isn't Jinja. Called before it is written elsewhere */
export function checkTemplates({
  chatTemplate,
  toolTemplate,
  templatePlace,
}: Pick<TextTokenizer, 'chatTemplate' | 'toolTemplate' | 'templatePlace'>): void {
  for (const source of [chatTemplate, toolTemplate]) if (source !== null) checkedTemplate(source, templatePlace);
}

/** @param place of the template, if that is where something is wrong for sure */
function failed(error: unknown, place: TemplatePlace | null, hint: string): InputError {
  const line = error instanceof TemplateError ? error.line : null;
  const isOwnFile = place !== null && place.key === undefined && place.file.endsWith('.jinja');
  const inLine = line === null || isOwnFile ? '' : ` in line ${line}`;
  return new InputError(`the chat template failed${inLine}: ${(error as Error).message}`, {
    ...place,
    ...(isOwnFile && line !== null && { line }),
    hint,
  });
}

/** Variables of every template, which are no choice of the caller. */
const STANDARD = /^(messages|tools|documents|add_generation_prompt|(bos|eos|unk|sep|pad|cls|mask)_token)$/;

/** Variables that the model's chat templates read beyond the conversation and the special tokens, such as enable_thinking. */
export function templateVariables(tokenizer: TextTokenizer): string[] {
  const sources = [tokenizer.chatTemplate, tokenizer.toolTemplate].filter(source => source !== null);
  const names = sources.flatMap(source => variablesIn(source));
  return [...new Set(names)].filter(name => !STANDARD.test(name) && !(name in tokenizer.specialTokens));
}

/** None of a template that can't be parsed, which is an error where it is used. */
function variablesIn(source: string): string[] {
  try {
    return parsedTemplate(source).variables;
  } catch (error) {
    if (error instanceof TemplateError) return [];
    throw error;
  }
}

function variablesOf(
  tokenizer: TextTokenizer,
  messages: ChatMessage[],
  options: RenderChatOptions,
  form: MessageForm,
): Record<string, unknown> {
  return {
    ...tokenizer.specialTokens,
    ...options.variables,
    messages: templateMessages(messages, form),
    tools: options.tools ?? null,
    documents: options.documents ?? options.variables?.documents ?? null,
    add_generation_prompt: options.addGenerationPrompt ?? false,
  };
}

const parsedTemplates = new Map<string, JinjaTemplate>();

function parsedTemplate(source: string): JinjaTemplate {
  let template = parsedTemplates.get(source);
  if (!template) {
    template = new JinjaTemplate(source);
    parsedTemplates.set(source, template);
  }
  return template;
}
