// Answers of servers, as the fuzzer damages them: of the Hugging Face hub, whose requests get them without a network, and of Ollama and
// LM Studio, from a server on loopback. Used by readers.ts.
import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { LmStudioClient } from '../../extension/src/engine/export/lmStudioClient.js';
import { OllamaClient } from '../../extension/src/engine/export/ollamaClient.js';
import { pullModel } from '../../extension/src/engine/hub/pullModel.js';
import { accountName } from '../../extension/src/engine/hub/pushFiles.js';

const COMMIT = 'c'.repeat(40);
const WEIGHTS = Buffer.from('weights');
const gitSha1 = createHash('sha1').update('blob 2\0{}').digest('hex');
const sha256 = createHash('sha256').update(WEIGHTS).digest('hex');

const HUB_ANSWERS: Record<string, string> = {
  'info.json': JSON.stringify({ _id: '1', id: 'org/model', sha: COMMIT }),
  'tree.json': JSON.stringify([
    { type: 'file', path: 'config.json', size: 2, oid: gitSha1 },
    { type: 'file', path: 'model.safetensors', size: WEIGHTS.length, oid: gitSha1, lfs: { oid: sha256, size: 7 } },
    { type: 'directory', path: 'more', size: 0, oid: gitSha1 },
  ]),
  'config.json': '{}',
  'whoami.json': JSON.stringify({ type: 'user', name: 'org', auth: { type: 'access_token' } }),
};

export const hubAnswers = Object.entries(HUB_ANSWERS);

/** Pulls a model, and asks for the user's name, with one of the answers from the file. */
export async function readHubAnswer(path: string): Promise<void> {
  const answers: Record<string, Uint8Array<ArrayBuffer>> = Object.fromEntries(
    Object.entries(HUB_ANSWERS).map(([name, text]) => [name, new Uint8Array(Buffer.from(text))]),
  );
  answers[basename(path)] = new Uint8Array(readFileSync(path));
  const answerTo = (address: string) => {
    if (address.includes('whoami')) return answers['whoami.json'];
    if (address.includes('/tree/')) return answers['tree.json'];
    if (address.includes('/resolve/')) return address.includes('config.json') ? answers['config.json'] : WEIGHTS;
    return answers['info.json'];
  };
  const cache = join(dirname(path), 'cache');
  const real = globalThis.fetch;
  Object.assign(process.env, { HF_ENDPOINT: 'https://hub.test', HF_HUB_CACHE: cache, HF_TOKEN: 'token' });
  Object.assign(process.env, { TUNEWRIGHT_CACHE: cache });
  const asked = new Set<string>();
  globalThis.fetch = async input => {
    const address = String(input instanceof Request ? input.url : input);
    // A download that is shorter than announced is tried again, with pauses.
    if (asked.has(address)) return new Response('', { status: 404 });
    asked.add(address);
    return new Response(answerTo(address), { headers: { 'content-type': 'application/json' } });
  };
  try {
    if (path.endsWith('whoami.json')) await accountName('token', new AbortController().signal);
    else await pullModel('org/model');
  } finally {
    globalThis.fetch = real;
    rmSync(cache, { recursive: true, force: true });
  }
}

const [MODEL, PROMPT] = ['m', 'Hi'];
type Ask<Client> = (client: Client) => Promise<unknown>;

const OLLAMA: Record<string, { answer: string; ask: Ask<OllamaClient> }> = {
  'version.json': { answer: '{"version":"0.12.0"}', ask: client => client.version() },
  'show.json': {
    answer: '{"template":"{{ .Prompt }}","parameters":"stop \\"a\\"","details":{"quantization_level":"Q8_0"}}',
    ask: client => client.show(MODEL),
  },
  'create.ndjson': {
    answer: '{"status":"writing manifest"}\n{"status":"success"}\n',
    ask: client => client.create({ model: MODEL, files: {}, parameters: {} }, () => {}),
  },
  'chat.json': {
    answer: '{"message":{"content":"Hello","thinking":null},"done_reason":"stop","prompt_eval_count":3}',
    ask: client => client.chat(MODEL, PROMPT, {}),
  },
  'generate.json': {
    answer: '{"response":"Hello","done_reason":"length"}',
    ask: client => client.complete(MODEL, PROMPT, {}),
  },
  'rendered.json': {
    answer: '{"_debug_info":{"rendered_template":"<s>Hi"}}',
    ask: client => client.renderedPrompt(MODEL, PROMPT),
  },
};

const LM_STUDIO: Record<string, { answer: string; ask: Ask<LmStudioClient> }> = {
  'models.json': {
    answer: '{"data":[{"id":"org/model","publisher":"org","quantization":"Q8_0"},{"id":"model@q4"}]}',
    ask: client => client.nameOf({ publisher: 'org', model: 'model', file: 'model-q8_0' }, 0),
  },
  'chat.json': {
    answer: '{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3}}',
    ask: client => client.chat(MODEL, PROMPT, {}),
  },
  'completion.json': {
    answer: '{"choices":[{"text":"Hello","finish_reason":"length"}]}',
    ask: client => client.complete(MODEL, PROMPT, {}),
  },
};

export const ollamaAnswers = Object.entries(OLLAMA).map(([name, { answer }]): [string, string] => [name, answer]);
export const lmStudioAnswers = Object.entries(LM_STUDIO).map(([name, { answer }]): [string, string] => [name, answer]);

let answer: Buffer = Buffer.alloc(0);
let url: Promise<string> | null = null;

/** One server for all inputs; it ends with the process. */
function server(): Promise<string> {
  return (url ??= new Promise(resolve => {
    const server = createServer((request, response) => {
      request.resume();
      request.on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end(answer));
    });
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
    server.unref();
  }));
}

export async function readOllamaAnswer(path: string): Promise<unknown> {
  const at = await server();
  answer = readFileSync(path);
  return OLLAMA[basename(path)]!.ask(new OllamaClient({ url: at }));
}

export async function readLmStudioAnswer(path: string): Promise<unknown> {
  const at = await server();
  answer = readFileSync(path);
  return LM_STUDIO[basename(path)]!.ask(new LmStudioClient(at));
}
