// Messages between the playground (webview/src/playground) and its provider (host/webviews/playground*.ts). The host has the
// conversation and sends it as a complete snapshot; log-probabilities, which are long, are fetched when tokens are coloured.
import * as z from 'zod';
import { nothing, notificationType, requestType } from './messageTypes.js';
import { engineConfigSchema } from './engineConfig.js';
import { samplingSchema } from './sampling.js';
import {
  adapterFactsSchema,
  chatTurnSchema,
  finishReasonSchema,
  sessionFactsSchema,
  tokenLogprobSchema,
} from './sessionMessages.js';

export const MAX_COLUMNS = 4;
/** Alternatives shown for each token. */
export const NUM_ALTERNATIVES = 5;

/** An adapter of a column; its path identifies it. */
export const columnPartSchema = z.object({
  name: z.string(),
  path: z.string(),
  weight: z.number().min(0).max(2).default(1),
});
export type ColumnPart = z.infer<typeof columnPartSchema>;

/** What answers in a column: a model, with no adapter, one, or a mixture of several. */
export const columnSchema = z.object({
  id: z.string().describe('Unique in its conversation, also among removed columns'),
  name: z.string(),
  /** A model of its own, such as a merged one; null: the conversation's. */
  model: z.string().nullable(),
  parts: z.array(columnPartSchema),
  /** The run whose result it is, as its folder. */
  run: z.string().nullable(),
});
export type Column = z.infer<typeof columnSchema>;

export const datasetKindSchema = z.enum(['conversation', 'preference']);
export type DatasetKind = z.infer<typeof datasetKindSchema>;

export const answerStatusSchema = z.enum(['waiting', 'streaming', 'done', 'stopped', 'failed']);

export const playgroundAnswerSchema = z.object({
  status: answerStatusSchema,
  text: z.string(),
  reasoning: z.string(),
  /** What went wrong, and what to change. */
  problem: z.string().nullable(),
  /** Tokens so far. */
  num_tokens: z.int(),
  /** Of these, how many have log-probabilities. */
  num_logprobs: z.int(),
  finish_reason: finishReasonSchema.nullable(),
  tokens_per_second: z.number().nullable(),
  first_token_ms: z.number().nullable(),
  prompt_tokens: z.int().nullable(),
  cached_tokens: z.int().nullable(),
  reasoning_tokens: z.int().nullable(),
  dropped_turns: z.int(),
  /** The model's own answer, if the user has corrected it. */
  original: z.string().nullable(),
  /** Where the correction or a vote for it was written, in words. */
  saved: z.object({ kind: datasetKindSchema, text: z.string() }).nullable(),
});
export type PlaygroundAnswer = z.infer<typeof playgroundAnswerSchema>;

export const playgroundTurnSchema = z.object({
  id: z.int(),
  prompt: z.string(),
  /** Of all columns. */
  seed: z.int().nonnegative(),
  /** By the column's id; a column that was added later has none. */
  answers: z.record(z.string(), playgroundAnswerSchema),
});
export type PlaygroundTurn = z.infer<typeof playgroundTurnSchema>;

const deviceSchema = z.object({ backend: engineConfigSchema.shape.backend, adapter: engineConfigSchema.shape.adapter });

export const conversationSchema = z.object({
  id: z.string(),
  title: z.string(),
  /** Last change, in milliseconds since 1970. */
  updated_ms: z.number(),
  model: z.string(),
  base_weights: z.string().nullable(),
  /** That of the run it was opened on; null: the default. */
  device: deviceSchema.nullable().default(null),
  system: z.string(),
  sampling: samplingSchema,
  /** Of the chat template; those at the template's own default are omitted. */
  template_variables: z.record(z.string(), z.unknown()),
  columns: z.array(columnSchema).min(1).max(MAX_COLUMNS),
  turns: z.array(playgroundTurnSchema),
});
export type Conversation = z.infer<typeof conversationSchema>;

/** A model in memory, or on the way there. */
export const playgroundModelSchema = z.object({
  phase: z.enum(['none', 'loading', 'ready', 'ended', 'failed']),
  /** While loading what happens; why it failed. */
  message: z.string().nullable(),
  facts: sessionFactsSchema.nullable(),
  /** If it did not fit: base weights that take less memory. */
  smaller: z.enum(['int8', 'int4']).optional(),
});
export type PlaygroundModel = z.infer<typeof playgroundModelSchema>;

export const playgroundMemorySchema = z.object({
  rss_bytes: z.number(),
  cache_bytes: z.number(),
  available_bytes: z.number(),
});

/** A run that learns from corrections. */
export const trainingSchema = z.object({
  folder: z.string(),
  name: z.string(),
  /** The column that it continues. */
  column: z.string(),
  /** `alive`: still trains; `done`: has a result; `failed`: neither. */
  phase: z.enum(['alive', 'done', 'failed']),
  /** Such as `Training, step 12 of 60`. */
  text: z.string(),
  /** Between 0 and 1. */
  share: z.number(),
});
export type Training = z.infer<typeof trainingSchema>;

export const playgroundSnapshotSchema = z.object({
  conversation: conversationSchema,
  /** An answer is on its way. */
  busy: z.boolean(),
  model: playgroundModelSchema,
  /** Of the processes of all columns; null if there is none. */
  memory: playgroundMemorySchema.nullable(),
  /** Attached adapters by path. */
  adapters: z.record(z.string(), adapterFactsSchema),
  /** Name of the dataset for corrections; null: it is asked for. */
  datasets: z.object({ conversation: z.string().nullable(), preference: z.string().nullable() }),
  trainings: z.array(trainingSchema),
  /** A sentence while any runs train on the same cores and memory; else null. */
  sharing: z.string().nullable(),
  /** The kept conversations, latest first. */
  kept: z.array(z.object({ id: z.string(), title: z.string(), updated_ms: z.number(), turns: z.int() })),
  trusted: z.boolean(),
});
export type PlaygroundSnapshot = z.infer<typeof playgroundSnapshotSchema>;

/** Webview to host: sent once when the view opens. */
export const openPlaygroundPage = requestType(
  'playground/open',
  nothing,
  z.object({
    snapshot: playgroundSnapshotSchema,
    /** Put into the input, such as the prompt of a dataset's row. */
    prompt: z.string(),
  }),
);

/** Host to webview: something changed. */
export const playgroundChanged = notificationType('playground/changed', playgroundSnapshotSchema);

/** Host to webview: a prompt for the input of a playground that is open already. */
export const promptProposed = notificationType('playground/prompt', z.string());

const turn = z.int().describe('Id of the turn');
const column = z.string().describe('Id of the column');

/** What a user may do; each is a request, so that its problem is shown where it was asked for. */
export const playgroundCommandSchema = z.discriminatedUnion('do', [
  z.object({ do: z.literal('send'), prompt: z.string().min(1) }),
  z.object({ do: z.literal('stop') }),
  /** Answers a turn once more with another seed; the turns after it are removed. null: in all columns. */
  z.object({ do: z.literal('regenerate'), turn, column: column.nullable() }),
  z.object({ do: z.literal('edit'), turn, prompt: z.string().min(1) }),
  z.object({ do: z.literal('clear') }),
  z.object({ do: z.literal('setSystem'), system: z.string() }),
  z.object({ do: z.literal('setSampling'), sampling: samplingSchema }),
  z.object({ do: z.literal('setVariables'), variables: z.record(z.string(), z.unknown()) }),
  z.object({ do: z.literal('setWeight'), column, path: z.string(), weight: z.number().min(0).max(2) }),
  z.object({ do: z.literal('addColumn') }),
  z.object({ do: z.literal('removeColumn'), column }),
  /** Loads the model before the first message, or once more, then also with other base weights. */
  z.object({ do: z.literal('load'), base_weights: z.enum(['int8', 'int4']).optional() }),
  /** Replaces an answer, and writes it to a dataset unless `into` is null. */
  z.object({
    do: z.literal('correct'),
    turn,
    column,
    text: z.string(),
    into: datasetKindSchema.nullable(),
  }),
  z.object({ do: z.literal('vote'), turn, chosen: column, rejected: column }),
  z.object({ do: z.literal('chooseDataset'), kind: datasetKindSchema }),
  z.object({ do: z.literal('train'), column }),
  z.object({ do: z.literal('stopTraining'), folder: z.string() }),
  z.object({ do: z.literal('openRun'), folder: z.string() }),
  /** Adds the result beside the column that it continues, and asks it the last prompt. */
  z.object({ do: z.literal('showTrained'), folder: z.string() }),
  z.object({ do: z.literal('dismissTraining'), folder: z.string() }),
  z.object({ do: z.literal('newConversation') }),
  z.object({ do: z.literal('openConversation'), id: z.string() }),
  z.object({ do: z.literal('renameConversation'), id: z.string(), title: z.string().min(1) }),
  z.object({ do: z.literal('deleteConversation'), id: z.string() }),
  z.object({ do: z.literal('export') }),
  z.object({ do: z.literal('import') }),
]);
export type PlaygroundCommand = z.infer<typeof playgroundCommandSchema>;

/** Webview to host; the result is a sentence for the user, or null. */
export const commandPlayground = requestType('playground/do', playgroundCommandSchema, z.string().nullable());

/** Webview to host: the log-probabilities of an answer from this token on. */
export const fetchTokens = requestType(
  'playground/tokens',
  z.object({ turn, column, from: z.int().nonnegative() }),
  z.array(tokenLogprobSchema),
);

/** Webview to host: how likely another column finds each token of an answer, after the same messages. */
export const scoreAnswer = requestType(
  'playground/score',
  z.object({ turn, column, by: column }),
  z.array(tokenLogprobSchema),
);

/** A line of an exported conversation, which is also a row of a dataset. */
export const conversationRowSchema = z.object({ messages: z.array(chatTurnSchema) });
