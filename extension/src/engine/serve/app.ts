// The routes of the server (decision 0040): OpenAI's API over one session, vLLM's routes for adapters, health and metrics. No
// request is read before its sender is checked.
import type { HttpBindings } from '@hono/node-server';
import { Hono, type Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { cors } from 'hono/cors';
import * as z from 'zod';
import { InputError } from '../../core/inputError.js';
import type { Mixture } from '../../protocol/sessionMessages.js';
import type { Session } from '../generation/session.js';
import { rssBytes } from '../machine/processMemory.js';
import { checkKey, checkSender, type AccessRules } from './accessControl.js';
import type { AdapterFolders } from './adapterFolders.js';
import { chatShape, textShape, type AnswerShape } from './answers.js';
import { ApiError, apiError } from './apiError.js';
import { complete, type CompletionContext } from './completions.js';
import { checkAdapterName, mixtureOf, modelNames } from './modelNames.js';
import { checked, parseBody, parseChat, parseCompletion, type ParsedRequest } from './requests.js';

export type ServedSession = Pick<
  Session,
  'facts' | 'templateFacts' | 'adapters' | 'generate' | 'loadFolder' | 'unload' | 'memory'
>;

export interface AppContext extends CompletionContext {
  session: ServedSession;
  folders: AdapterFolders;
  /** Its port is known once the server listens. */
  rules: AccessRules;
  maxBodyBytes: number;
  /** Once true, new requests are refused. */
  isEnding(): boolean;
}

/** Adapters that clients may have loaded. */
const MAX_ADAPTERS = 256;

const loadSchema = z.looseObject({
  lora_name: z.string(),
  lora_path: z.string().min(1),
  load_inplace: z.boolean().default(false),
});
const unloadSchema = z.looseObject({ lora_name: z.string() });

type Bindings = { Bindings: HttpBindings };

export function serverApp(context: AppContext): Hono<Bindings> {
  const { session, metrics, rules } = context;
  const app = new Hono<Bindings>();
  const created = Math.floor(Date.now() / 1000);

  app.onError((error, c) => {
    const shown = apiError(error);
    if (shown.status === 500) context.onFault(error);
    return c.json(shown.body, shown.status, shown.headers);
  });
  app.notFound(() => {
    throw new ApiError(404, 'There is no such route.', { code: 'not_found' });
  });
  app.use(async (c, next) => {
    await next();
    const known = ROUTES.find(([, path]) => path === c.req.path)?.[1] ?? 'other';
    metrics.countRequest(known, c.res.status);
  });
  app.use(async (c, next) => {
    const { headers } = c.env.incoming;
    checkSender(headers, rules);
    if (context.isEnding())
      throw new ApiError(503, 'The server is ending.', { headers: { Connection: 'close', 'Retry-After': '10' } });
    await next();
  });
  app.use(cors({ origin: [...rules.allowOrigins], allowMethods: ['GET', 'POST'], exposeHeaders: ['Retry-After'] }));
  app.use(async (c, next) => {
    if (c.req.path !== '/health') checkKey(c.env.incoming.headers, rules);
    await next();
  });
  // bodyLimit makes a new request of one without a length, which Node can't do of the server's own kind of request.
  app.use(async ({ req }, next) => {
    const { method, headers, body, signal } = req.raw;
    const hasLength = headers.has('content-length') && !headers.has('transfer-encoding');
    if (body && !hasLength) {
      const init: RequestInit & { duplex: 'half' } = { method, headers, body, signal, duplex: 'half' };
      req.raw = new Request(req.url, init);
    }
    await next();
  });
  app.use(
    bodyLimit({
      maxSize: context.maxBodyBytes,
      onError: () => {
        throw new ApiError(413, `The body is larger than ${context.maxBodyBytes} bytes.`, {
          headers: { Connection: 'close' },
        });
      },
    }),
  );

  const models = () =>
    modelNames(session).map((id, i) => ({
      id,
      object: 'model',
      created,
      owned_by: 'tunewright',
      parent: i === 0 ? null : session.facts.model,
      max_model_len: session.facts.context_length,
    }));
  const chatFacts = (model: string) => ({
    ...session.facts,
    ...session.templateFacts(answering(model, session)),
  });
  const body = async (c: Context<Bindings>) => {
    const encoding = c.req.header('content-encoding') ?? 'identity';
    if (encoding !== 'identity')
      throw new ApiError(400, `Content-Encoding ${encoding} is not supported; send the body as it is.`);
    return parseBody(await c.req.arrayBuffer());
  };
  const answer = async (c: Context<Bindings>, request: ParsedRequest, shape: AnswerShape) => {
    const adapters = answering(request.model, session);
    try {
      return await complete(context, request, { adapters, shape, outgoing: c.env.outgoing });
    } catch (error) {
      throw withParam(error, request);
    }
  };

  const handlers: Record<(typeof ROUTES)[number][1], (c: Context<Bindings>) => Response | Promise<Response>> = {
    '/health': c => c.json({ status: 'ok' }),
    '/metrics': c =>
      c.text(
        metrics.text({
          ...context.slots.counts,
          adapters: session.adapters().length,
          rssBytes: rssBytes(),
          cacheBytes: session.memory().cache_bytes,
        }),
        200,
        { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' },
      ),
    '/v1/models': c => c.json({ object: 'list', data: models() }),
    '/v1/models/:id{.+}': c => {
      const id = c.req.param('id')!;
      const adapters = answering(id, session);
      const found = models().find(model => model.id === id) ?? { ...models()[0]!, id, parent: session.facts.model };
      return c.json({ ...found, ...(adapters.length > 1 && { adapters }) });
    },
    '/v1/chat/completions': async c => answer(c, parseChat(await body(c), chatFacts), chatShape),
    '/v1/completions': async c => answer(c, parseCompletion(await body(c)), textShape),
    '/v1/load_lora_adapter': async c => {
      const { lora_name: name, lora_path: path, load_inplace: inPlace } = checked(loadSchema, await body(c));
      checkAdapterName(name, 'lora_name');
      if (name === session.facts.model)
        throw new ApiError(400, `"${name}" is the name of the base model; choose another.`, { param: 'lora_name' });
      const loaded = session.adapters();
      const isLoaded = loaded.some(adapter => adapter.name === name);
      if (isLoaded && !inPlace)
        throw new ApiError(400, `The adapter "${name}" is loaded already; unload it first, or set "load_inplace".`, {
          param: 'lora_name',
        });
      if (!isLoaded && loaded.length >= MAX_ADAPTERS)
        throw new ApiError(400, `${MAX_ADAPTERS} adapters are loaded already.`);
      const folder = context.folders.find(path);
      try {
        await session.loadFolder(name, folder);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        throw new ApiError(400, apiError(error).message, { param: 'lora_path' });
      }
      return c.text(`Success: LoRA adapter '${name}' added successfully.`);
    },
    '/v1/unload_lora_adapter': async c => {
      const { lora_name: name } = checked(unloadSchema, await body(c));
      context.folders.checkAllowed();
      if (!session.adapters().some(adapter => adapter.name === name)) throw noModel(name, 'lora_name');
      session.unload(name);
      return c.text(`Success: LoRA adapter '${name}' removed successfully.`);
    },
  };
  for (const [method, path] of ROUTES) {
    app.on(method, path, handlers[path]);
    app.all(path, () => {
      throw new ApiError(405, `Use ${method}.`, { headers: { Allow: method } });
    });
  }
  return app;
}

const ROUTES = [
  ['GET', '/health'],
  ['GET', '/metrics'],
  ['GET', '/v1/models'],
  ['GET', '/v1/models/:id{.+}'],
  ['POST', '/v1/chat/completions'],
  ['POST', '/v1/completions'],
  ['POST', '/v1/load_lora_adapter'],
  ['POST', '/v1/unload_lora_adapter'],
] as const;

/** @throws ApiError 404 for an unknown name */
function answering(name: string, session: ServedSession): Mixture {
  const mixture = mixtureOf(name, session);
  if (!mixture) throw noModel(name, 'model');
  return mixture;
}

function noModel(name: string, param: string): ApiError {
  return new ApiError(404, `The model "${name}" does not exist.`, { param, code: 'model_not_found' });
}

/** A prompt that leaves no room for an answer has OpenAI's code; what is wrong with a prompt, the parameter that has it. */
function withParam(error: unknown, { promptParam: param }: ParsedRequest): unknown {
  if (!(error instanceof InputError)) return error;
  const { code, key, message, hint } = error.record();
  if (key !== 'prompt') return error;
  const said = [message, hint].filter(Boolean).join('. ');
  return new ApiError(400, said, { param, code: code === 'prompt_too_long' ? 'context_length_exceeded' : null });
}
