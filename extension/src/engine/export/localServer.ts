// Requests to a server that runs models on this machine (Ollama, LM Studio): JSON, lines of JSON, a file as body. What a server says is
// read up to a limit. A redirect is an error: nothing is ever sent to another address.
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { StringDecoder } from 'node:string_decoder';
import type * as z from 'zod';
import { CancelledError, CodedError } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import { streamOf } from '../../system/regularFile.js';

export interface LocalServerOptions {
  /** Of the program, for messages. */
  name: string;
  /** What to do if no answer comes, as a sentence. */
  hint: string;
  /** What to do if another program answers, as a sentence. */
  otherHint?: string;
  /** Sent with every request, such as a token. */
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
}

/** Time for a server on this machine to say that it is there. */
export const HERE_MS = 5_000;

/** A server refused a request, or broke off its answer. */
export class ServerFailedError extends CodedError {
  override readonly name = 'ServerFailedError';
  constructor(
    message: string,
    /** HTTP status; null if the answer broke off or has another form. */
    readonly status: number | null,
    hint?: string,
  ) {
    super('server_failed', message, { hint });
  }
}

interface ServerRequest {
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT';
  path: string;
  json?: unknown;
  bytes?: Uint8Array;
  file?: { path: string; size: number; onBytes(sent: number): void };
  /** Instead of the server's own. */
  idleMs?: number;
}

/** Models are loaded and files converted without a word in between. */
const IDLE_MS = 600_000;
/** Longest answer, and longest line of a stream, in bytes. */
const MAX_ANSWER_BYTES = 32e6;
const MAX_LINE_BYTES = 4e6;

export class LocalServer {
  constructor(
    /** Without a slash at the end; may have a path. */
    readonly url: string,
    private readonly options: LocalServerOptions,
  ) {}

  /** @returns the status; the answer is left unread. @throws ServerFailedError for one of 500 and above, CodedError without an answer */
  async status(request: ServerRequest): Promise<number> {
    const response = await this.send(request);
    response.resume();
    const { statusCode = 0 } = response;
    if (statusCode >= 500) throw this.refusal(statusCode, '');
    return statusCode;
  }

  /** @throws ServerFailedError unless the answer is JSON with a status of 200 to 299 */
  async json(request: ServerRequest): Promise<unknown> {
    const response = await this.send(request);
    const text = await this.textOf(response);
    this.checkStatus(response, text);
    try {
      return text === '' ? null : JSON.parse(text);
    } catch {
      throw new ServerFailedError(
        `${this.described} gave an answer that is not JSON: ${excerpt(text)}`,
        null,
        this.options.hint,
      );
    }
  }

  /** The same, of that shape. @throws ServerFailedError also for an answer of another program */
  async parsed<Schema extends z.ZodType>(schema: Schema, request: ServerRequest): Promise<z.infer<Schema>> {
    const result = schema.safeParse(await this.json(request));
    if (result.success) return result.data;
    const { name, otherHint } = this.options;
    throw new ServerFailedError(`what answers at ${this.url}${request.path} isn't ${name}'s API`, null, otherHint);
  }

  /**
   * Reads an answer of one JSON value a line while it comes.
   * @throws ServerFailedError if a line is an error or no JSON, or if the connection breaks
   */
  async lines(request: ServerRequest, onLine: (value: Record<string, unknown>) => void): Promise<void> {
    const response = await this.send(request);
    if (!isSuccess(response)) this.checkStatus(response, await this.textOf(response));
    const take = (line: string) => {
      if (line.trim() === '') return;
      let value: unknown;
      try {
        value = JSON.parse(line);
      } catch {
        throw new ServerFailedError(`${this.described} sent a line that is not JSON: ${excerpt(line)}`, null);
      }
      const message = errorIn(value);
      if (message !== null) throw this.refusal(null, message);
      onLine((value ?? {}) as Record<string, unknown>);
    };
    const decoder = new StringDecoder('utf8');
    let rest = '';
    for await (const chunk of this.received(response)) {
      const lines = (rest + decoder.write(chunk)).split('\n');
      rest = lines.pop()!;
      lines.forEach(take);
      if (rest.length > MAX_LINE_BYTES)
        throw new ServerFailedError(`${this.described} sends a line without an end`, null);
    }
    take(rest + decoder.end());
  }

  private async textOf(response: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of this.received(response)) {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES)
        throw new ServerFailedError(`${this.described} sends an answer without an end`, null);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  /** The bytes of an answer; ends the connection when the caller stops reading. */
  private async *received(response: IncomingMessage): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of response) yield chunk as Buffer;
    } catch (error) {
      throw this.failure(error, 'broke off its answer');
    }
  }

  private send({
    method = 'POST',
    path,
    json,
    bytes: content,
    file,
    idleMs = IDLE_MS,
  }: ServerRequest): Promise<IncomingMessage> {
    const { signal } = this.options;
    const body = json === undefined ? null : Buffer.from(JSON.stringify(json));
    const headers = {
      ...this.options.headers,
      ...(body && { 'content-type': 'application/json', 'content-length': body.length }),
      ...(content && { 'content-type': 'application/octet-stream', 'content-length': content.length }),
      ...(file && { 'content-type': 'application/octet-stream', 'content-length': file.size }),
    };
    const request = this.url.startsWith('https:') ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      // A connection of its own: one that is kept may have been closed by the server.
      const sent = request(
        `${this.url}${path}`,
        { method, headers, signal, agent: false, timeout: idleMs },
        response => {
          source?.destroy();
          const {
            statusCode = 0,
            headers: { location },
          } = response;
          if (statusCode < 300 || statusCode >= 400) return resolve(response);
          response.destroy();
          reject(
            new ServerFailedError(
              `${this.described} redirects to ${location ?? 'another address'}, where nothing is sent`,
              statusCode,
              this.options.hint,
            ),
          );
        },
      );
      const source = file && streamOf(file.path, { end: file.size - 1, highWaterMark: 1 << 20 });
      sent.on('timeout', () => sent.destroy(new Error(`no answer in ${Math.round(idleMs / 1000)} s`)));
      // After an answer that comes before the whole file is sent, this is too late to matter.
      sent.on('error', error => {
        source?.destroy();
        reject(this.failure(error, file ? 'broke off the upload' : null));
      });
      if (!source) return void sent.end(body ?? content);
      let bytes = 0;
      source.on('data', chunk => file.onBytes((bytes += chunk.length)));
      source.on('error', error => sent.destroy(error));
      source.on('end', () => {
        if (bytes < file.size)
          sent.destroy(new InputError('the file became shorter while it was sent', { file: file.path }));
      });
      source.pipe(sent);
    });
  }

  /** @param broken what happened to a connection that was there; null if there may have been none */
  private failure(error: unknown, broken: string | null): Error {
    if (error instanceof CodedError) return error;
    if (this.options.signal?.aborted) return new CancelledError();
    const { code, message } = error as NodeJS.ErrnoException;
    const hasNoConnection =
      broken === null || /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/.test(code ?? '');
    if (hasNoConnection)
      return new CodedError('unreachable', `${this.described} can't be reached (${code ?? message})`, {
        hint: this.options.hint,
      });
    return new ServerFailedError(`${this.described} ${broken} (${code ?? message})`, null, this.options.hint);
  }

  private checkStatus(response: IncomingMessage, text: string): void {
    if (!isSuccess(response)) throw this.refusal(response.statusCode ?? null, text);
  }

  /** @param text the answer, or the message in it */
  private refusal(status: number | null, text: string): ServerFailedError {
    const said = errorIn(parsed(text)) ?? excerpt(text);
    const message = `${this.described} failed${status === null ? '' : ` with status ${status}`}${said === '' ? '' : `: ${said}`}`;
    return new ServerFailedError(
      message,
      status,
      isFullDisk(said) ? 'Free space on the disk where it keeps models.' : undefined,
    );
  }

  private get described(): string {
    return `${this.options.name} at ${this.url}`;
  }
}

function isSuccess({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** `{error: "..."}` of Ollama, `{error: {message: "..."}}` of OpenAI's API. */
function errorIn(value: unknown): string | null {
  const error = (value as { error?: unknown } | null)?.error;
  if (error === undefined || error === null) return null;
  const message = typeof error === 'object' ? (error as { message?: unknown }).message : error;
  return excerpt(typeof message === 'string' ? message : JSON.stringify(error));
}

function excerpt(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}

/** As Go says it on Unix and on Windows. */
function isFullDisk(message: string): boolean {
  return /no space left on device|not enough space on the disk/i.test(message);
}
