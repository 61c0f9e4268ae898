// The requests to LM Studio that asking an installed model takes. Called by targets/lmStudio.ts. Shapes are those of OpenAI's API, and
// of LM Studio's REST API v0 where that says more.
import { setTimeout as pause } from 'node:timers/promises';
import * as z from 'zod';
import { finishOf, type Answer } from '../../core/exports/installedAnswers.js';
import { HERE_MS, LocalServer, ServerFailedError } from './localServer.js';

const modelsSchema = z.object({
  data: z.array(z.object({ id: z.string(), publisher: z.string().nullish(), quantization: z.string().nullish() })),
});

const countsShape = {
  usage: z.object({ prompt_tokens: z.number().nullish() }).nullish(),
};
const chatSchema = z.object({
  choices: z
    .array(
      z.object({
        message: z.object({ content: z.string().nullish(), reasoning_content: z.string().nullish() }),
        finish_reason: z.string().nullish(),
      }),
    )
    .min(1),
  ...countsShape,
});
const completionSchema = z.object({
  choices: z.array(z.object({ text: z.string(), finish_reason: z.string().nullish() })).min(1),
  ...countsShape,
});

/** Time for LM Studio to notice a new file, and between two looks. */
const NOTICE_MS = 15_000;
const LOOK_MS = 500;

export interface PlacedModel {
  publisher: string;
  /** Folder of the model. */
  model: string;
  /** File in it, without .gguf. */
  file: string;
}

export class LmStudioClient {
  private readonly server: LocalServer;

  constructor(
    url: string,
    private readonly signal?: AbortSignal,
  ) {
    const hint = 'Start it in LM Studio (Developer, Start server) or with: lms server start.';
    this.server = new LocalServer(url, { name: 'LM Studio', hint, signal });
  }

  get url(): string {
    return this.server.url;
  }

  /**
   * The name under which its server knows a model; null if it doesn't find it.
   * @throws CodedError `unreachable` if nothing answers
   */
  async nameOf(placed: PlacedModel, waitMs = NOTICE_MS): Promise<string | null> {
    for (let waited = 0; ; waited += LOOK_MS) {
      const found = nameAmong((await this.models()).data, placed);
      if (found !== null || waited >= waitMs) return found;
      await pause(LOOK_MS, undefined, { signal: this.signal });
    }
  }

  private async models(): Promise<z.infer<typeof modelsSchema>> {
    try {
      return await this.server.parsed(modelsSchema, { method: 'GET', path: '/api/v0/models', idleMs: HERE_MS });
    } catch (error) {
      // Versions before 0.3.6 have OpenAI's list only.
      if (!(error instanceof ServerFailedError) || error.status !== 404) throw error;
      return this.server.parsed(modelsSchema, { method: 'GET', path: '/v1/models', idleMs: HERE_MS });
    }
  }

  /** The answer to one message. The model is loaded if it isn't yet. */
  async chat(model: string, prompt: string, options: Record<string, unknown>): Promise<Answer> {
    const json = { model, messages: [{ role: 'user', content: prompt }], stream: false, ...options };
    const { choices, usage } = await this.server.parsed(chatSchema, { path: '/v1/chat/completions', json });
    const [{ message, finish_reason: reason }] = choices as [z.infer<typeof chatSchema>['choices'][number]];
    const { content, reasoning_content: reasoning } = message;
    return answerOf(content ?? '', reasoning ?? '', reason, usage?.prompt_tokens);
  }

  /** Continues a text, without a template. */
  async complete(model: string, prompt: string, options: Record<string, unknown>): Promise<Answer> {
    const json = { model, prompt, stream: false, ...options };
    const { choices, usage } = await this.server.parsed(completionSchema, { path: '/v1/completions', json });
    const [{ text, finish_reason: reason }] = choices as [z.infer<typeof completionSchema>['choices'][number]];
    return answerOf(text, '', reason, usage?.prompt_tokens);
  }
}

/** LM Studio names models by their folder, in lower case; by publisher or type, too, where that is needed to tell them apart. */
function nameAmong(
  models: z.infer<typeof modelsSchema>['data'],
  { publisher, model, file }: PlacedModel,
): string | null {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[^a-z0-9]+/g, '');
  const names = [file, `${publisher}/${model}`, model].map(plain);
  const ours = models.filter(each => !each.publisher || plain(each.publisher) === plain(publisher));
  const isNamed = (name: string) => (each: { id: string }) =>
    plain(each.id) === name || plain(each.id.split('@')[0]!) === name;
  for (const name of names) {
    const found = ours.filter(isNamed(name));
    const ofType = found.find(({ id, quantization }) =>
      plain(file).endsWith(plain(quantization ?? id.split('@')[1] ?? '')),
    );
    if (found.length > 0) return (ofType ?? found[0]!).id;
  }
  return null;
}

function answerOf(
  text: string,
  reasoning: string,
  reason: string | null | undefined,
  promptTokens: number | null = null,
): Answer {
  return { text, reasoning, finish: finishOf(reason), promptTokens, rendered: null };
}
