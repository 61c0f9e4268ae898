// The requests to Ollama that installing a model and asking it takes. Called by targets/ollama.ts. Shapes are those of Ollama's
// `docs/api.md`; what isn't needed is left unread.
import * as z from 'zod';
import { finishOf, type Answer } from '../../core/exports/installedAnswers.js';
import type { OllamaAddress } from '../../core/exports/ollama.js';
import { HERE_MS, LocalServer, ServerFailedError } from './localServer.js';

const versionSchema = z.object({ version: z.string() });

const shownSchema = z.object({
  /** Its `FROM` names the file of the weights by its digest. */
  modelfile: z.string().default(''),
  /** Of Go; `{{ .Prompt }}` if the model has none. */
  template: z.string().default(''),
  /** `name value` a line, texts in quotes. */
  parameters: z.string().default(''),
  details: z.looseObject({ quantization_level: z.string().optional() }).default({}),
});
export type ShownModel = z.infer<typeof shownSchema>;

const answerSchema = z.object({
  done_reason: z.string().nullish(),
  prompt_eval_count: z.number().nullish(),
  eval_count: z.number().nullish(),
});
const chatSchema = answerSchema.extend({
  message: z.object({ content: z.string().default(''), thinking: z.string().nullish() }),
});
const completionSchema = answerSchema.extend({ response: z.string() });
const renderedSchema = z.object({ _debug_info: z.object({ rendered_template: z.string() }).nullish() });

export class OllamaClient {
  private readonly server: LocalServer;

  constructor({ url }: Pick<OllamaAddress, 'url'>, signal?: AbortSignal) {
    const hint = 'Start it: ollama serve, or its app. OLLAMA_HOST says where it is.';
    this.server = new LocalServer(url, {
      name: 'Ollama',
      hint,
      otherHint: 'OLLAMA_HOST says where Ollama is.',
      signal,
    });
  }

  get url(): string {
    return this.server.url;
  }

  /** @throws CodedError `unreachable` if nothing answers */
  async version(): Promise<string> {
    return this.server
      .parsed(versionSchema, { method: 'GET', path: '/api/version', idleMs: HERE_MS })
      .then(({ version }) => version);
  }

  /** What the server knows of a model; null if it has none of that name. */
  async show(model: string): Promise<ShownModel | null> {
    try {
      return await this.server.parsed(shownSchema, { path: '/api/show', json: { model } });
    } catch (error) {
      if (error instanceof ServerFailedError && error.status === 404) return null;
      throw error;
    }
  }

  /** @param digest `sha256:` and 64 hexadecimal digits */
  async hasBlob(digest: string): Promise<boolean> {
    const status = await this.server.status({ method: 'HEAD', path: `/api/blobs/${digest}` });
    if (status !== 200 && status !== 404)
      throw new ServerFailedError(`Ollama at ${this.url} knows no blobs (status ${status})`, status);
    return status === 200;
  }

  /** Sends a file, which the server checks against its digest. */
  async sendBlob(digest: string, file: { path: string; size: number; onBytes(sent: number): void }): Promise<void> {
    await this.server.json({ path: `/api/blobs/${digest}`, file });
  }

  /**
   * Creates a model from a file that was sent.
   * @param onStatus called for each step of the server, such as `writing manifest`
   */
  async create(
    request: { model: string; files: Record<string, string>; parameters: Record<string, string[] | number> },
    onStatus: (status: string) => void,
  ): Promise<void> {
    let last = '';
    await this.server.lines({ path: '/api/create', json: { ...request, stream: true } }, ({ status }) => {
      if (typeof status !== 'string') return;
      last = status;
      onStatus(status);
    });
    if (last !== 'success')
      throw new ServerFailedError(
        `Ollama at ${this.url} ended before the model was created${last && ` (last step: ${last})`}`,
        null,
      );
  }

  /** The answer to one message. */
  async chat(model: string, prompt: string, options: Record<string, unknown>): Promise<Answer> {
    const messages = [{ role: 'user', content: prompt }];
    const answer = await this.server.parsed(chatSchema, {
      path: '/api/chat',
      json: { model, messages, options, stream: false },
    });
    return { text: answer.message.content, reasoning: answer.message.thinking ?? '', ...countsOf(answer) };
  }

  /** Continues a text, without a template. */
  async complete(model: string, prompt: string, options: Record<string, unknown>): Promise<Answer> {
    const json = { model, prompt, raw: true, options, stream: false };
    const answer = await this.server.parsed(completionSchema, { path: '/api/generate', json });
    return { text: answer.response, reasoning: '', ...countsOf(answer) };
  }

  /** What a conversation looks like for the model; null if this server doesn't say. */
  async renderedPrompt(model: string, prompt: string): Promise<string | null> {
    const messages = [{ role: 'user', content: prompt }];
    const options = { num_predict: 1 };
    // A server that doesn't know the last key answers as usual.
    const json = { model, messages, options, stream: false, _debug_render_only: true };
    const { _debug_info: info } = await this.server.parsed(renderedSchema, { path: '/api/chat', json });
    return info?.rendered_template ?? null;
  }
}

function countsOf(answer: z.infer<typeof answerSchema>): Pick<Answer, 'finish' | 'promptTokens' | 'rendered'> {
  const { done_reason: reason, prompt_eval_count: promptTokens = null } = answer;
  return { finish: finishOf(reason), promptTokens, rendered: null };
}
