// Requests of the host to a session (`tunewright session`): one base model in memory, adapters attached to it by name, answers
// that stream. JSON-RPC on standard input and output, as for the resident engine (residentMessages.ts). The shapes of a
// request and its answer are also those of generation/session.ts, `chat` and `serve`.
import * as z from 'zod';
import { requestType } from './messageTypes.js';
import { progressSchema } from './residentMessages.js';
import { engineConfigSchema } from './engineConfig.js';
import { MAX_TOP_LOGPROBS, samplingSchema } from './sampling.js';

/** A turn, in the form of OpenAI's API: `tool_calls` and other keys are passed to the chat template. */
export const chatTurnSchema = z.looseObject({ role: z.string().min(1), content: z.string().nullable() });
export type ChatTurn = z.infer<typeof chatTurnSchema>;

export const MAX_STRENGTH = 2;

/** Adapters that answer together, each with a strength; none: the base. Several, or a strength other than 1: LoRA only. */
export const mixtureSchema = z.array(
  z.object({ name: z.string().min(1), weight: z.number().min(0).max(MAX_STRENGTH).default(1) }),
);
export type Mixture = z.infer<typeof mixtureSchema>;

const { base_weights, precision, backend, adapter, threads } = engineConfigSchema.shape;

export const sessionOptionsSchema = z.object({
  model: z.string().min(1).describe('Folder, .gguf file, hub id or embedded:tiny'),
  folder: z.string().describe('Base of relative paths'),
  base_weights,
  precision,
  backend,
  adapter,
  threads,
});
export type SessionSettings = z.infer<typeof sessionOptionsSchema>;

/** How conversations are written for the base, or for an adapter, which may have a chat template of its own. */
const templateFactsSchema = z.object({
  has_chat_template: z.boolean(),
  /** Variables that the chat template reads beyond messages and tools, such as enable_thinking. */
  template_variables: z.array(z.string()),
});
export type TemplateFacts = z.infer<typeof templateFactsSchema>;

export const sessionFactsSchema = templateFactsSchema.extend({
  model: z.string(),
  context_length: z.int().describe('Positions that a conversation may use'),
  weight_bytes: z.number(),
  rss_bytes: z.number(),
  backend: z.string(),
});
export type SessionFacts = z.infer<typeof sessionFactsSchema>;

export const adapterFactsSchema = templateFactsSchema.extend({
  name: z.string(),
  path: z.string(),
  peft_type: z.string(),
  parameters: z.int(),
  /** Whether its strength can be chosen and it can be mixed with others. */
  scalable: z.boolean(),
});
export type AdapterFacts = z.infer<typeof adapterFactsSchema>;

export const generationSchema = z.object({
  /** A conversation to answer; or a text to continue, without a chat template. */
  messages: z.array(chatTurnSchema).optional(),
  prompt: z.string().optional(),
  adapters: mixtureSchema.default([]),
  sampling: samplingSchema.prefault({}),
  /** Log-probabilities of the tokens with this number of alternatives; null: none. */
  top_logprobs: z.int().min(0).max(MAX_TOP_LOGPROBS).nullable().default(null),
  tools: z.array(z.unknown()).optional(),
  documents: z.array(z.unknown()).optional(),
  template_variables: z.record(z.string(), z.unknown()).default({}),
});
/** As a caller writes it. */
export type GenerationInput = z.input<typeof generationSchema>;
export type GenerationRequest = z.infer<typeof generationSchema>;

/** How likely an answer is, token by token; the prompt is cut for max_new_tokens as `generate` does. */
export const scoringSchema = generationSchema.extend({
  token_ids: z.array(z.int().nonnegative()).min(1).describe('Tokens of the answer'),
  top_logprobs: z.int().min(0).max(MAX_TOP_LOGPROBS).default(0),
});
/** As a caller writes it. */
export type ScoringInput = z.input<typeof scoringSchema>;
export type ScoringRequest = z.infer<typeof scoringSchema>;

export const tokenAlternativeSchema = z.object({ id: z.int(), text: z.string(), logprob: z.number() });

/** A token of the answer with its log-probability before temperature and penalties, and the most likely ones. */
export const tokenLogprobSchema = tokenAlternativeSchema.extend({ top: z.array(tokenAlternativeSchema) });
export type TokenLogprob = z.infer<typeof tokenLogprobSchema>;

/** A piece of a streamed answer; whole characters only. */
export const pieceSchema = z.object({
  /** Added to the answer, or to the reasoning before it. */
  text: z.string().default(''),
  reasoning: z.string().default(''),
  /** Of the tokens read since the last piece, if asked for. */
  logprobs: z.array(tokenLogprobSchema).optional(),
  /** Tokens of the answer so far. */
  tokens: z.int(),
});
export type Piece = z.infer<typeof pieceSchema>;

export const toolCallSchema = z.object({ id: z.string(), name: z.string(), arguments: z.string().describe('JSON') });
export type ToolCall = z.infer<typeof toolCallSchema>;

/** stop: an end token or a stop text; length: max_new_tokens, or the end of the context; tool_calls: it calls functions. */
export const finishReasonSchema = z.enum(['stop', 'length', 'tool_calls', 'cancelled']);

export const generationAnswerSchema = z.object({
  text: z.string(),
  reasoning: z.string(),
  tool_calls: z.array(toolCallSchema),
  finish_reason: finishReasonSchema,
  logprobs: z.array(tokenLogprobSchema).nullable(),
  token_ids: z.array(z.int()),
  usage: z.object({
    prompt_tokens: z.int(),
    /** Of the prompt, tokens whose keys and values were still there from an earlier answer. */
    cached_tokens: z.int(),
    completion_tokens: z.int(),
    reasoning_tokens: z.int(),
  }),
  /** Turns left out at the beginning (after a system message), so that the conversation fits the context. */
  dropped_turns: z.int(),
  first_token_ms: z.number(),
  /** Of the tokens after the first; null for a single token. */
  tokens_per_second: z.number().nullable(),
});
export type GenerationAnswer = z.infer<typeof generationAnswerSchema>;

/** Loads the model; the first request, and only one. Progress: `phase` load or download. */
export const openRequest = requestType('open', sessionOptionsSchema, sessionFactsSchema, progressSchema);

/** Attaches an adapter under a name, in place of one of that name. */
export const loadAdapterRequest = requestType(
  'load_adapter',
  z.object({ name: z.string().min(1), path: z.string().min(1) }),
  adapterFactsSchema,
);

export const unloadAdapterRequest = requestType('unload_adapter', z.object({ name: z.string() }), z.null());

/** Answers; its pieces are the progress of the request. Cancelled: fails with code cancelled. */
export const generateRequest = requestType('generate', generationSchema, generationAnswerSchema, pieceSchema);

/** Cancelled: fails with code cancelled. */
export const scoreRequest = requestType('score', scoringSchema, z.object({ logprobs: z.array(tokenLogprobSchema) }));

/** What the checks of a suite say of an answer. */
export const judgedRowSchema = z.object({
  id: z.string(),
  line: z.int().positive(),
  passed: z.boolean(),
  score: z.number(),
  seconds: z.number().describe('Between question and answer'),
  answer: z.string(),
  expected: z.string().nullable(),
  checks: z.array(
    z.object({
      type: z.string(),
      passed: z.boolean(),
      score: z.number(),
      expected: z.string().nullable().describe('The text that it compares the answer with'),
      reason: z.string().optional().describe('Why it isn’t passed'),
    }),
  ),
});
export type JudgedAnswer = z.infer<typeof judgedRowSchema>;

/** Asks one model the rows of a suite; each is reported as it is judged. */
export const answerSuiteRequest = requestType(
  'answer_suite',
  z.object({
    suite: z.string().min(1).describe('Path'),
    ids: z.array(z.string()).nullable().describe('Of the rows; null: all'),
    adapter: z.string().min(1).nullable().describe('Name of the adapter that answers; null: the base'),
    keep_in: z.array(z.string()).describe('Folders that keep a report if all rows are answered'),
    keep_as: z.string().describe('Name of the model in these reports'),
  }),
  z.object({ warnings: z.array(z.string()) }),
  judgedRowSchema,
);
export type SuiteQuestions = z.infer<typeof answerSuiteRequest.params>;

export const countTokensRequest = requestType(
  'count_tokens',
  z.object({ messages: z.array(chatTurnSchema).optional(), text: z.string().optional() }),
  z.object({ tokens: z.int() }),
);

/** Memory now, for display. */
export const memoryRequest = requestType(
  'memory',
  z.object({}),
  z.object({ rss_bytes: z.number(), cache_bytes: z.number(), available_bytes: z.number() }),
);
