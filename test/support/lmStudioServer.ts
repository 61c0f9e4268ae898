// LM Studio's server on loopback for tests: its list of models and OpenAI's completions, which need the model's own name.
import type { IncomingMessage } from 'node:http';
import { listen } from './loopback.js';

export interface FakeLmStudioModel {
  id: string;
  publisher?: string;
  quantization?: string;
}

export interface LmStudioServer {
  url: string;
  requests: string[];
  /** Bodies of completions. */
  asked: Record<string, unknown>[];
  models: FakeLmStudioModel[];
  close(): void;
}

export interface LmStudioOptions {
  /** Versions before 0.3.6 have no /api/v0. */
  isOld?: boolean;
  answer?: (prompt: string) => {
    content: string;
    reasoning_content?: string;
    finish_reason?: string;
    prompt_tokens?: number;
  };
  /** A model that isn't loaded and may not be. */
  refusal?: string;
}

export async function startLmStudio({
  isOld = false,
  answer = prompt => ({ content: `You said: ${prompt}` }),
  refusal,
}: LmStudioOptions = {}): Promise<LmStudioServer> {
  const requests: string[] = [];
  const asked: LmStudioServer['asked'] = [];
  const models: FakeLmStudioModel[] = [];
  const server = await listen((request, response) => {
    const { method, url = '' } = request;
    requests.push(`${method} ${url}`);
    const json = (value: unknown, status = 200) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (url === '/v1/models') return json({ object: 'list', data: models.map(({ id }) => ({ id, object: 'model' })) });
    if (url === '/api/v0/models' && !isOld) return json({ object: 'list', data: models });
    const isChat = url === '/v1/chat/completions';
    if (!isChat && url !== '/v1/completions')
      return json({ error: `Unexpected endpoint or method. (${method} ${url})` }, 404);
    void bodyOf(request).then(body => {
      asked.push(body);
      if (refusal) return json({ error: { message: refusal, type: 'invalid_request_error' } }, 400);
      if (!models.some(({ id }) => id === body['model'])) return json({ error: { message: 'model not found' } }, 404);
      const prompt = isChat ? (body['messages'] as { content: string }[]).at(-1)!.content : String(body['prompt']);
      const { content, reasoning_content, finish_reason = 'stop', prompt_tokens } = answer(prompt);
      const choice = isChat ? { message: { role: 'assistant', content, reasoning_content } } : { text: content };
      return json({ choices: [{ index: 0, ...choice, finish_reason }], usage: { prompt_tokens } });
    });
  });
  return { ...server, requests, asked, models };
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
}
