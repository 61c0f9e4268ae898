// Requests of OpenAI's API, checked and as requests to the session. A parameter that would be ignored, though the answer depends on
// it, is refused by name; so is an unknown one. Extra parameters (top_k, min_p, ...) have vLLM's names.
import { randomInt } from 'node:crypto';
import * as z from 'zod';
import { isObject, parseJson } from '../../core/data/formats/rowFields.js';
import { schemaError, suggestion } from '../../core/forms/zodSchema.js';
import { InputError } from '../../core/inputError.js';
import { MAX_TOP_LOGPROBS, samplingSchema } from '../../protocol/sampling.js';
import type { ChatTurn, GenerationInput, SessionFacts, TemplateFacts } from '../../protocol/sessionMessages.js';
import { ApiError } from './apiError.js';

/** Answers to one request, all prompts together. */
export const MAX_ANSWERS = 16;
const MAX_DEPTH = 64;
const CHAT_PARAM = 'messages';
const DEFAULT_COMPLETION_TOKENS = 16;
const MAX_SEED = 2 ** 32;
/** Room for mixtures of many adapters. */
const MAX_MODEL_NAME = 4096;

const { temperature, max_new_tokens, stop, top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty } =
  samplingSchema.shape;
const tokens = max_new_tokens.unwrap();

/** The model calls functions by itself; arguments are JSON in OpenAI's API, objects in others. */
const callSchema = z.looseObject({
  type: z.literal('function').optional(),
  function: z.looseObject({
    name: z.string().min(1),
    arguments: z.union([z.string(), z.record(z.string(), z.unknown())]),
  }),
});

/** Null is as if the key was absent: clients send back messages as they got them. */
const messageSchema = z.looseObject({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
  name: z.string().nullish(),
  reasoning_content: z.string().nullish(),
  tool_calls: z.array(callSchema).nullish(),
  tool_call_id: z.string().nullish(),
});
type Message = z.infer<typeof messageSchema>;

const toolSchema = z.looseObject({
  type: z.literal('function'),
  function: z.looseObject({
    name: z.string().min(1),
    description: z.string().nullish(),
    parameters: z.record(z.string(), z.unknown()).nullish(),
    strict: z.boolean().nullish(),
  }),
});

const commonShape = {
  model: z.string().min(1).max(MAX_MODEL_NAME),
  n: z.int().min(1).max(MAX_ANSWERS).default(1),
  stream: z.boolean().default(false),
  // Without effect, the second pads chunks against eavesdroppers.
  stream_options: z
    .strictObject({ include_usage: z.boolean().default(false), include_obfuscation: z.boolean().optional() })
    .optional(),
  seed: z.int().optional(),
  stop: z.union([z.string().min(1), stop.unwrap()]).default([]),
  temperature: temperature.unwrap().default(1),
  top_p,
  min_p,
  top_k: z.int().min(-1).default(0),
  repetition_penalty,
  presence_penalty,
  frequency_penalty,
  max_tokens: tokens.optional(),
};

const chatSchema = z.strictObject({
  ...commonShape,
  messages: z.array(messageSchema).min(1),
  max_completion_tokens: tokens.optional(),
  logprobs: z.boolean().default(false),
  top_logprobs: z.int().min(0).max(MAX_TOP_LOGPROBS).optional(),
  tools: z.array(toolSchema).optional(),
  tool_choice: z.enum(['auto', 'none']).default('auto'),
  documents: z.array(z.record(z.string(), z.unknown())).optional(),
  chat_template_kwargs: z.record(z.string(), z.unknown()).default({}),
});

const completionSchema = z.strictObject({
  ...commonShape,
  prompt: z.union([z.string(), z.array(z.string()).min(1)]),
  logprobs: z.int().min(0).max(MAX_TOP_LOGPROBS).optional(),
});

/** Parameters on which no answer depends: they are accepted and not read. */
const WITHOUT_EFFECT = new Set([
  'user',
  'store',
  'metadata',
  'service_tier',
  'safety_identifier',
  'prompt_cache_key',
  'prompt_cache_retention',
  'prediction',
]);

/** Parameters that aren't implemented, with the values (as JSON) that ask for what is done anyway. */
const ONLY: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    response_format: ['{"type":"text"}'],
    modalities: ['["text"]'],
    logit_bias: ['{}'],
    tool_choice: ['"auto"', '"none"'],
    parallel_tool_calls: ['true'],
    add_generation_prompt: ['true'],
    continue_final_message: ['false'],
    echo: ['false'],
    suffix: ['""'],
    best_of: ['1'],
    reasoning_effort: [],
    verbosity: [],
    audio: [],
    web_search_options: [],
    functions: [],
    function_call: [],
  }),
);

export interface ParsedRequest {
  model: string;
  stream: boolean;
  includeUsage: boolean;
  /** Answers to each prompt. */
  n: number;
  /** The parameter that has what is answered. */
  promptParam: string;
  /** Without the adapters; those of one prompt follow each other. */
  inputs: GenerationInput[];
}

/** What a request may ask of a model. */
export type ChatFacts = TemplateFacts & Pick<SessionFacts, 'context_length'>;

/** @throws ApiError, InputError that name the parameter */
export function parseChat(body: unknown, factsOf: (model: string) => ChatFacts): ParsedRequest {
  const request = parsed(chatSchema, body);
  const facts = factsOf(request.model);
  const { messages, logprobs, tools = [], tool_choice: choice, documents, chat_template_kwargs: variables } = request;
  const { max_completion_tokens: most = request.max_tokens } = request;
  if (request.top_logprobs !== undefined && !logprobs)
    throw new ApiError(400, '"top_logprobs" needs "logprobs": true.', { param: 'top_logprobs' });
  if (request.max_tokens !== undefined && request.max_tokens !== most)
    throw new ApiError(400, '"max_tokens" and "max_completion_tokens" differ; send one of them.', {
      param: 'max_tokens',
    });
  const strict = tools.findIndex(tool => tool.function.strict);
  if (strict >= 0)
    throw unsupported(
      `tools[${strict}].function.strict`,
      'answers are not held to the schema; send false, or leave it out',
    );
  if (!facts.has_chat_template)
    throw new ApiError(400, 'This model has no chat template; use /v1/completions.', { param: CHAT_PARAM });
  const unread = Object.keys(variables).find(name => !facts.template_variables.includes(name));
  if (unread !== undefined) {
    const known = facts.template_variables.map(name => `"${name}"`).join(', ') || 'none';
    throw new ApiError(400, `The chat template does not read "${unread}"; its variables: ${known}.`, {
      param: `chat_template_kwargs.${unread}`,
      code: 'unknown_parameter',
    });
  }
  return requestOf(request, CHAT_PARAM, [
    {
      messages: messages.map(turnOf),
      top_logprobs: logprobs ? (request.top_logprobs ?? 0) : null,
      tools: choice === 'none' || tools.length === 0 ? undefined : tools,
      documents,
      template_variables: variables,
      sampling: { max_new_tokens: most ?? facts.context_length },
    },
  ]);
}

/** @throws ApiError, InputError that name the parameter */
export function parseCompletion(body: unknown): ParsedRequest {
  const { prompt } = body as { prompt?: unknown };
  if (Array.isArray(prompt) && prompt.some(part => typeof part === 'number' || Array.isArray(part)))
    throw new ApiError(400, 'Token ids as a prompt are not supported; send the text.', { param: 'prompt' });
  const request = parsed(completionSchema, body);
  const prompts = [request.prompt].flat();
  return requestOf(
    request,
    'prompt',
    prompts.map(text => ({
      prompt: text,
      top_logprobs: request.logprobs ?? null,
      sampling: { max_new_tokens: request.max_tokens ?? DEFAULT_COMPLETION_TOKENS },
    })),
  );
}

/**
 * The body of a request.
 * @throws ApiError if it is no JSON object, or a deeply nested one
 */
export function parseBody(bytes: ArrayBuffer): Record<string, unknown> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ApiError(400, 'The body is not UTF-8.');
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw new ApiError(400, `The body is not JSON: ${(error as Error).message}`);
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new ApiError(400, 'The body must be a JSON object.');
  if (isDeep(body)) throw new ApiError(400, `The body is nested more than ${MAX_DEPTH} deep.`);
  return body as Record<string, unknown>;
}

/** Checks a body by a schema. @throws InputError that names the parameter */
export function checked<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const { message, key, hint } = schemaError(result.error, schema, body, { file: '' }).record();
  // OpenAI writes places in lists as messages[0].role.
  const param = key?.replace(/\.(\d+)(?=\.|$)/g, '[$1]');
  throw new InputError(message, { key: param, hint });
}

function parsed<T>(schema: z.ZodObject & z.ZodType<T>, body: unknown): T {
  const known = Object.keys(schema.shape);
  const given: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(body as object)) {
    // OpenAI's clients send null for what was not set.
    if (value === null || WITHOUT_EFFECT.has(key)) continue;
    const allowed = ONLY.get(key);
    if (allowed && !allowed.includes(JSON.stringify(value))) {
      const but = allowed.length > 0 ? ` other than as ${allowed.join(' or ')}` : '';
      throw unsupported(key, `it is not supported${but}`);
    }
    if (known.includes(key)) given[key] = value;
    else if (!allowed)
      throw new ApiError(400, `Unknown parameter "${key}"; ${suggestion(key, known)}`, {
        param: key,
        code: 'unknown_parameter',
      });
  }
  return checked(schema, given);
}

function unsupported(param: string, reason: string): ApiError {
  return new ApiError(400, `"${param}": ${reason}.`, { param, code: 'unsupported_parameter' });
}

type CommonRequest = z.infer<z.ZodObject<typeof commonShape>>;

function requestOf(request: CommonRequest, promptParam: string, prompts: readonly GenerationInput[]): ParsedRequest {
  const { model, n, stream, stream_options: options, seed, stop: stops } = request;
  if (options && !stream)
    throw new ApiError(400, '"stream_options" needs "stream": true.', { param: 'stream_options' });
  if (prompts.length * n > MAX_ANSWERS)
    throw new ApiError(400, `A request has at most ${MAX_ANSWERS} answers (prompts times "n").`, { param: 'n' });
  const first = seed === undefined ? randomInt(MAX_SEED) : seed - MAX_SEED * Math.floor(seed / MAX_SEED);
  const sampling = {
    temperature: request.temperature,
    top_p: request.top_p,
    min_p: request.min_p,
    top_k: Math.max(0, request.top_k),
    repetition_penalty: request.repetition_penalty,
    presence_penalty: request.presence_penalty,
    frequency_penalty: request.frequency_penalty,
    stop: [stops].flat(),
  };
  const inputs = prompts.flatMap(prompt =>
    Array.from({ length: n }, (_, i) => ({
      ...prompt,
      sampling: { ...sampling, ...prompt.sampling, seed: first + i },
    })),
  );
  return { model, stream, includeUsage: options?.include_usage ?? false, n, promptParam, inputs };
}

/** A message as a turn: text parts are joined as vLLM does; keys that templates read (tool_calls, name, ...) are kept. */
function turnOf(message: Message, i: number): ChatTurn {
  const { role, content = null, tool_calls, ...others } = message;
  const place = `messages[${i}]`;
  if (others.function_call) throw unsupported(`${place}.function_call`, 'use "tool_calls"');
  const calls = (tool_calls ?? []).map((call, c) =>
    withArguments(call, `${place}.tool_calls[${c}].function.arguments`),
  );
  const said = textOf(content, `${place}.content`);
  if (said === null && calls.length === 0 && (role !== 'assistant' || !others.reasoning_content))
    throw new ApiError(400, `${place}.content is missing; it must be text or a list of parts.`, {
      param: `${place}.content`,
    });
  return {
    // Templates test whether a key is there.
    ...Object.fromEntries(Object.entries(others).filter(([, value]) => value !== null)),
    ...(calls.length > 0 && { tool_calls: calls }),
    // Templates know no `developer`, OpenAI's newer name of the same role.
    role: role === 'developer' ? 'system' : role,
    content: said,
  };
}

/** A call without arguments may have an empty text. */
function withArguments(call: z.infer<typeof callSchema>, param: string): object {
  const { arguments: given } = call.function;
  if (typeof given !== 'string') return call;
  const text = given.trim() === '' ? '{}' : given;
  if (!isObject(parseJson(text))) throw new ApiError(400, `${param} must be a JSON object, as text.`, { param });
  return { ...call, function: { ...call.function, arguments: text } };
}

function textOf(content: unknown, param: string): string | null {
  if (content === null || typeof content === 'string') return content;
  if (!Array.isArray(content)) throw new ApiError(400, `${param} must be text or a list of parts.`, { param });
  return content
    .map((part: { type?: unknown; text?: unknown } | null, i) => {
      if (part?.type === 'text' && typeof part.text === 'string') return part.text;
      const type = typeof part?.type === 'string' ? `"${part.type}"` : 'this';
      throw new ApiError(400, `${param}[${i}]: only parts of type "text" are supported, not ${type}.`, {
        param: `${param}[${i}]`,
        code: 'unsupported_content',
      });
    })
    .join('\n');
}

/** Whether anything is nested too deep for what reads it recursively. */
function isDeep(body: unknown): boolean {
  let level: unknown[] = [body];
  for (let depth = 0; depth <= MAX_DEPTH; depth++) {
    level = level.flatMap(value => (typeof value === 'object' && value !== null ? Object.values(value) : []));
    if (level.length === 0) return false;
  }
  return true;
}
