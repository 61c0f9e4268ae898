// Ollama's API on loopback for tests, as far as an installation uses it, with faults on demand. Answers and texts of errors are those
// of Ollama's own code (server/routes.go, server/create.go, manifest/layer.go).
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { listen } from './loopback.js';

export interface FakeModel {
  /** Digest of its file. */
  digest: string;
  /** Of Go; null: the file's own counts. */
  template: string | null;
  parameters: Record<string, unknown>;
}

export interface FakeAnswer {
  content: string;
  thinking?: string;
  done_reason?: string;
  prompt_eval_count?: number;
}

export interface OllamaFaults {
  /** Connections are closed after this number of bytes of an upload. */
  dropUploadAt?: number;
  /** The disk is full when a blob is written. */
  diskFull?: boolean;
  /** The last byte of a blob is changed on the way. */
  damagesBlobs?: boolean;
  /** Ends the stream of `create` with this error. */
  createError?: string;
  /** Closes the connection in the middle of `create`. */
  dropCreate?: boolean;
  /** Ends the stream of `create` in an orderly way, but early. */
  endCreateEarly?: boolean;
  /** `create` knows no files, as before 0.5.5. */
  noFiles?: boolean;
  /** All requests are sent elsewhere. */
  redirectTo?: string;
  /** Answers with a page, as a proxy does. */
  page?: boolean;
  /** /api/show sends without an end. */
  endless?: boolean;
  /** `create` stays silent after its first status, until the client goes. */
  holdCreate?: boolean;
}

export interface OllamaServer {
  url: string;
  /** `METHOD path` of each request so far. */
  requests: string[];
  /** Bodies of `create`. */
  created: Record<string, unknown>[];
  /** Options of `chat` and `generate`. */
  options: Record<string, unknown>[];
  blobs: Map<string, Buffer>;
  /** By name with tag. */
  models: Map<string, FakeModel>;
  faults: OllamaFaults;
  close(): void;
}

export interface OllamaOptions {
  version?: string;
  /** The Go template that this server writes for a file of its own accord, as for templates that resemble a known one. */
  detectTemplate?: (file: Buffer) => { name: string; template: string; parameters?: Record<string, unknown> } | null;
  /** The prompt that a model of this server reads. null: it doesn't say. */
  render?: (prompt: string, model: FakeModel) => string | null;
  answer?: (prompt: string, model: FakeModel) => FakeAnswer;
}

export async function startOllama({
  version = '0.34.1',
  detectTemplate = () => null,
  render = () => null,
  answer = prompt => ({ content: `You said: ${prompt}` }),
}: OllamaOptions = {}): Promise<OllamaServer> {
  const blobs = new Map<string, Buffer>();
  const models = new Map<string, FakeModel>();
  const faults: OllamaFaults = {};
  const requests: string[] = [];
  const created: OllamaServer['created'] = [];
  const options: OllamaServer['options'] = [];
  const withTag = (name: string) => (name.includes(':') ? name : `${name}:latest`);

  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const { method, url = '' } = request;
    requests.push(`${method} ${url}`);
    const json = (value: unknown, status = 200) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (faults.redirectTo) return response.writeHead(307, { location: faults.redirectTo + url }).end();
    if (faults.page) return response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in</html>');
    if (url === '/api/version') return json({ version });
    const [, digest] = /^\/api\/blobs\/(sha256:[0-9a-f]{64})$/.exec(url) ?? [];
    if (digest && method === 'HEAD') return response.writeHead(blobs.has(digest) ? 200 : 404).end();
    if (digest) {
      if (blobs.has(digest)) return response.writeHead(200).end();
      if (faults.diskFull) {
        // Go's server gives the client time to read the answer before it closes the connection.
        const { socket } = request;
        socket.destroySoon = () => void socket.end(() => setTimeout(() => socket.destroy(), 100));
        return json({ error: 'write /root/.ollama/models/blobs/sha256-12: no space left on device' }, 500);
      }
      const content = await bodyOf(request, faults.dropUploadAt);
      if (content === null) return request.socket.destroy();
      if (faults.damagesBlobs) content[content.length - 1]! ^= 1;
      const got = `sha256:${createHash('sha256').update(content).digest('hex')}`;
      if (got !== digest) return json({ error: `digest mismatch, expected "${digest}", got "${got}"` }, 400);
      blobs.set(digest, content);
      return response.writeHead(201).end();
    }
    const body = JSON.parse((await bodyOf(request))!.toString()) as Record<string, unknown>;
    const model = models.get(withTag(String(body['model'])));
    if (url === '/api/create') return create(body, response);
    if (!model) return json({ error: `model '${String(body['model'])}' not found` }, 404);
    if (url === '/api/show') {
      if (faults.endless) return endless(response);
      const parameters = Object.entries(model.parameters)
        .flatMap(([name, value]) => [value].flat().map(each => `${name.padEnd(30)} ${JSON.stringify(each)}`))
        .join('\n');
      return json({
        modelfile: `# Modelfile generated by "ollama show"\nFROM /models/blobs/${model.digest.replace(':', '-')}\n`,
        template: model.template ?? templateIn(blobs.get(model.digest)),
        parameters,
        details: { format: 'gguf', family: 'llama', quantization_level: 'Q8_0' },
        model_info: { 'general.architecture': 'llama' },
      });
    }
    options.push(body['options'] as Record<string, unknown>);
    if (url === '/api/generate') {
      const { content, ...rest } = answer(String(body['prompt']), model);
      return json({ model: body['model'], response: content, done: true, done_reason: 'stop', ...rest });
    }
    const prompt = (body['messages'] as { content: string }[]).at(-1)!.content;
    const rendered = body['_debug_render_only'] ? render(prompt, model) : null;
    if (rendered !== null) return json({ model: body['model'], _debug_info: { rendered_template: rendered } });
    const { content, thinking, ...rest } = answer(prompt, model);
    return json({
      model: body['model'],
      message: { role: 'assistant', content, thinking },
      done: true,
      done_reason: 'stop',
      ...rest,
    });
  };

  const create = (body: Record<string, unknown>, response: ServerResponse) => {
    created.push(body);
    const json = (value: unknown, status: number) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    const files = Object.entries((body['files'] as Record<string, string> | undefined) ?? {});
    if (faults.noFiles || files.length === 0) return json({ error: "neither 'from' or 'files' was specified" }, 400);
    const [[name, digest]] = files as [[string, string]];
    if (name.startsWith('/') || name.includes('..')) return json({ error: 'invalid file path' }, 400);
    const blob = blobs.get(digest);
    if (!blob) return json({ error: `open blobs/${digest}: no such file or directory` }, 500);
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    const line = (value: unknown) => response.write(`${JSON.stringify(value)}\n`);
    line({ status: 'parsing GGUF' });
    if (faults.holdCreate) return response;
    if (faults.dropCreate) return setImmediate(() => response.destroy());
    if (faults.createError) {
      line({ error: faults.createError });
      return response.end();
    }
    if (faults.endCreateEarly) return response.end();
    const detected = detectTemplate(blob);
    if (detected) line({ status: `using autodetected template ${detected.name}` });
    line({ status: `using existing layer ${digest}` });
    line({ status: 'writing manifest' });
    models.set(withTag(String(body['model'])), {
      digest,
      template: detected?.template ?? null,
      parameters: { ...detected?.parameters, ...(body['parameters'] as Record<string, unknown> | undefined) },
    });
    line({ status: 'success' });
    return response.end();
  };

  const server = await listen((request, response) => {
    // A client that goes away is no fault.
    handle(request, response).catch(() => response.destroy());
  });
  return { ...server, requests, created, options, blobs, models, faults };
}

/** What 0.34.1 shows of a model without a template of Go: the one in its file. */
function templateIn(file: Buffer = Buffer.alloc(0)): string {
  const key = Buffer.from('tokenizer.chat_template');
  const at = file.indexOf(key);
  if (at < 0) return '{{ .Prompt }}';
  // After the key: its type (a string), the length of the value, the value.
  const value = at + key.length + 4;
  return file.toString('utf8', value + 8, value + 8 + Number(file.readBigUInt64LE(value)));
}

/** null if the connection was to be closed on the way. */
async function bodyOf(request: IncomingMessage, dropAt = Infinity): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
    if ((bytes += (chunk as Buffer).length) >= dropAt) return null;
  }
  return Buffer.concat(chunks);
}

function endless(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  const chunk = Buffer.alloc(1 << 20, ' ');
  const write = () => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', write);
  };
  write();
}
