// How an answer is decoded: the options of a request, with the names of Transformers' GenerationConfig (penalties of OpenAI's
// API under OpenAI's names). Read by the engine, the command line, the server and the playground, whose form is made of it.
import * as z from 'zod';
import { about } from './about.js';

export const samplingSchema = z.strictObject({
  max_new_tokens: z.int().positive().default(256).meta(about('Max new tokens', 'Longest answer in tokens')),
  temperature: z
    .number()
    .nonnegative()
    .max(100)
    .default(0)
    .meta(about('Temperature', '0: always the most likely token; higher: more varied')),
  top_k: z
    .int()
    .nonnegative()
    .default(0)
    .meta(about('Top k', 'Sample from this number of the most likely tokens; 0: from all')),
  top_p: z
    .number()
    .gt(0)
    .max(1)
    .default(1)
    .meta(about('Top p', 'Sample from the most likely tokens with this total probability')),
  min_p: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .meta(about('Min p', 'Leave out tokens less likely than this share of the most likely one')),
  // Far below, logits become non-finite.
  repetition_penalty: z
    .number()
    .min(0.001)
    .default(1)
    .meta(about('Repetition penalty', 'Above 1: tokens of the prompt and the answer become less likely')),
  presence_penalty: z
    .number()
    .min(-2)
    .max(2)
    .default(0)
    .meta(about('Presence penalty', 'Subtracted from the logits of tokens that the answer has')),
  frequency_penalty: z
    .number()
    .min(-2)
    .max(2)
    .default(0)
    .meta(about('Frequency penalty', 'Subtracted once for each time that the answer has the token')),
  seed: z.int().nonnegative().default(42).meta(about('Seed', 'The same seed gives the same answer')),
  stop: z.array(z.string().min(1)).max(16).default([]).meta(about('Stop', 'Texts that end the answer')),
});

export type Sampling = z.infer<typeof samplingSchema>;

/** Alternatives of a token that may be asked for, as in OpenAI's API. */
export const MAX_TOP_LOGPROBS = 20;
