// Writes files to a repository of the hub: creates it, uploads what it doesn't have yet, commits. The hub's documented protocol by
// @huggingface/hub; a push that broke off continues, since the hub keeps large files that have arrived. The token is sent to the
// hub's own address only and is in no message: errors are made here, without the addresses of uploads, which are signed.
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import * as z from 'zod';
import { commitIter, createBranch, createRepo, HubApiError, listFiles, type ListFileEntry } from '@huggingface/hub';
import { CancelledError, CodedError } from '../../core/codedError.js';
import { visibleControls } from '../../core/harmlessText.js';
import { InputError } from '../../core/inputError.js';
import { addFile } from '../data/fileHash.js';
import { notTheHub, understood } from './hubAnswers.js';
import { fetchOfHub, HubUnreachableError, hubEndpoint, isHubOffline } from './hubAccess.js';

/** A file of the push: on disk, or with its content. */
export interface PushedFile {
  /** Name in the repository, with `/`. */
  path: string;
  content: { file: string } | { bytes: Buffer };
}

export interface PushRequest {
  /** `user/name` */
  repo: string;
  files: readonly PushedFile[];
  /** null: main */
  revision: string | null;
  message: string;
  isPublic: boolean;
  /** Whether a file that the repository has already may be replaced by another content. */
  mayReplace(path: string, existing: string): boolean;
  token: string;
  signal: AbortSignal;
  onProgress(progress: { file: string; bytes: number; totalBytes: number }): void;
}

export interface Pushed {
  url: string;
  /** null: the repository had everything already. */
  commit: string | null;
  isPublic: boolean;
  files: { path: string; bytes: number; state: 'uploaded' | 'unchanged' | 'kept' }[];
}

const MAIN = 'main';
const TOKEN_PREFIX = 'hf_';
/** Only small text files are asked about before they are replaced. */
const MAX_EXISTING_BYTES = 1 << 20;

export function fileBytes({ content }: PushedFile): number {
  return 'file' in content ? statSync(content.file).size : content.bytes.length;
}

/**
 * @throws InputError if the hub refuses the token, the repository or a file
 * @throws HubUnreachableError if the hub can't be reached; what has arrived isn't uploaded again
 */
export async function pushFiles(request: PushRequest): Promise<Pushed> {
  try {
    return await push(request);
  } catch (error) {
    if (request.signal.aborted) throw new CancelledError('Stopped; what has arrived is not uploaded again.');
    // Of a page where the library reads JSON.
    throw error instanceof SyntaxError ? notTheHub(request.repo) : error;
  }
}

async function push(request: PushRequest): Promise<Pushed> {
  const { repo: name, files, revision, message, isPublic, token, signal, onProgress } = request;
  if (!token.startsWith(TOKEN_PREFIX))
    throw new InputError(`this is no access token of the hub: it doesn’t begin with ${TOKEN_PREFIX}`, {
      key: 'HF_TOKEN',
      hint: `Copy one from ${hubEndpoint()}/settings/tokens.`,
    });
  const fetch = pushFetch(request);
  const repo = { type: 'model', name } as const;
  const access = { repo, accessToken: token, hubUrl: hubEndpoint(), fetch };
  const branch = revision ?? MAIN;
  const found = await isPublicOf(request, fetch);
  if (found === null) await created(() => createRepo({ ...access, visibility: isPublic ? 'public' : 'private' }));
  else if (found && !isPublic)
    throw new InputError('this repository is public', {
      file: name,
      key: '--repo',
      hint: 'Name another one, which will be private, or say with --public that everybody may read it.',
    });
  if (revision !== null) await created(() => createBranch({ ...access, branch: revision }));
  const there = new Map<string, ListFileEntry>();
  // The library puts it into the address as it is.
  const listed = encodeURIComponent(branch);
  await understood(name, async () => {
    for await (const entry of listFiles({ ...access, revision: listed, recursive: true }))
      if (entry.type === 'file') there.set(entry.path, entry);
  });

  const states = new Map<string, Pushed['files'][number]['state']>();
  for (const file of files) {
    signal.throwIfAborted();
    const entry = there.get(file.path);
    states.set(file.path, entry ? await stateOf(file, entry, request, fetch) : 'uploaded');
  }
  const uploaded = files.filter(({ path }) => states.get(path) === 'uploaded');
  const sizes = new Map(files.map(file => [file.path, fileBytes(file)]));
  const result = files.map(({ path }) => ({ path, bytes: sizes.get(path)!, state: states.get(path)! }));
  const pushed = { url: `${hubEndpoint()}/${name}`, isPublic: found ?? isPublic, files: result };
  if (uploaded.length === 0) return { ...pushed, commit: null };
  const operations = uploaded.map(({ path, content }) => ({
    operation: 'addOrUpdate' as const,
    path,
    content: 'file' in content ? pathToFileURL(content.file) : new Blob([new Uint8Array(content.bytes)]),
  }));
  const work = commitIter({ ...access, branch, title: message, operations, abortSignal: signal });
  try {
    for (;;) {
      const { done, value } = await work.next();
      if (done) return { ...pushed, commit: value?.commit.oid ?? null };
      if (value.event !== 'fileProgress' || value.state !== 'uploading') continue;
      const totalBytes = sizes.get(value.path) ?? 0;
      onProgress({ file: value.path, bytes: Math.round(value.progress * totalBytes), totalBytes });
    }
  } catch (error) {
    // The hub may refuse one of the files in a response that is no error itself.
    if (!(error instanceof HubApiError)) throw error;
    throw new InputError(`the hub refused the upload: ${said(error.message, token)}`, { file: name, hint: AGAIN });
  }
}

const accountSchema = z.object({ name: z.string().min(1) });
const visibilitySchema = z.object({ private: z.boolean().optional() });

/** The account that a token is of. @throws as {@link pushFiles} */
export async function accountName(token: string, signal: AbortSignal): Promise<string> {
  const fetch = pushFetch({ repo: hubEndpoint(), token, signal });
  try {
    const response = await fetch(`${hubEndpoint()}/api/whoami-v2`, { headers: { Authorization: `Bearer ${token}` } });
    return await understood(hubEndpoint(), async () => accountSchema.parse(await response.json()).name);
  } catch (error) {
    throw signal.aborted ? new CancelledError('Stopped; nothing was pushed.') : error;
  }
}

/** Whether anybody may read the repository; null if it doesn't exist, or not for this token. */
async function isPublicOf({ repo, token }: PushRequest, fetch: PushFetch): Promise<boolean | null> {
  const response = await fetch(`${hubEndpoint()}/api/models/${repo}`, {
    headers: { Authorization: `Bearer ${token}` },
    allowed: [404],
  });
  if (!response.ok) return null;
  return understood(repo, async () => visibilitySchema.parse(await response.json()).private !== true);
}

/** What another push has created meanwhile, or before, is there. */
async function created(create: () => Promise<unknown>): Promise<void> {
  try {
    await create();
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error;
  }
}

async function stateOf(
  file: PushedFile,
  entry: ListFileEntry,
  { repo, revision, token, mayReplace }: PushRequest,
  fetch: PushFetch,
): Promise<Pushed['files'][number]['state']> {
  if (entry.size === fileBytes(file) && (await isSame(file, entry))) return 'unchanged';
  if (entry.size > MAX_EXISTING_BYTES) return 'uploaded';
  const path = file.path.split('/').map(encodeURIComponent).join('/');
  const response = await fetch(`${hubEndpoint()}/${repo}/raw/${encodeURIComponent(revision ?? MAIN)}/${path}`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  return mayReplace(file.path, await response.text()) ? 'uploaded' : 'kept';
}

/** By the hash that the repository has: SHA-256 of large files, git's own of others. */
async function isSame(file: PushedFile, { lfs, oid, size }: ListFileEntry): Promise<boolean> {
  const hash = lfs ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
  const { content } = file;
  if ('bytes' in content) hash.update(content.bytes);
  else await addFile(hash, content.file);
  return hash.digest('hex') === (lfs?.oid ?? oid);
}

type PushFetch = (
  input: Parameters<typeof globalThis.fetch>[0],
  init?: RequestInit & {
    /** Responses that are no errors. */
    allowed?: readonly number[];
  },
) => Promise<Response>;

/** 409: what is to be created exists, or the repository has changed since it was read. */
class ConflictError extends InputError {}

/** Times that a request is made, if the hub asks to wait or can't be reached. */
const TRIES = 5;
const FIRST_WAIT_MS = 1000;
/** A hub that asks for more is asked again by hand. */
const MAX_WAIT_MS = 120_000;
/** The hub is overloaded, or one of the servers before it. */
const BUSY = [429, 500, 502, 503, 504];

/** `fetch` that waits as long as the hub asks it to, and whose errors say what to do. */
function pushFetch({ repo, token, signal }: Pick<PushRequest, 'repo' | 'token' | 'signal'>): PushFetch {
  const send = fetchOfHub(token);
  return async (input, { allowed = [], ...init } = {}) => {
    if (isHubOffline())
      throw new HubUnreachableError('HF_HUB_OFFLINE is set', {
        file: repo,
        hint: 'Unset it, or see with --dry-run what would be uploaded.',
      });
    for (let tries = 1; ; tries++) {
      signal.throwIfAborted();
      const wait = FIRST_WAIT_MS * 2 ** (tries - 1);
      let response: Response;
      try {
        response = await send(input, {
          ...init,
          signal: init.signal ? AbortSignal.any([init.signal, signal]) : signal,
        });
      } catch (error) {
        signal.throwIfAborted();
        if (tries === TRIES) throw lost(repo, error);
        await setTimeout(wait, undefined, { signal });
        continue;
      }
      if (response.ok || allowed.includes(response.status)) return response;
      const asked = retryAfterMs(response) ?? wait;
      if (!BUSY.includes(response.status) || tries === TRIES || asked > MAX_WAIT_MS)
        throw await refusal(repo, token, response);
      await response.body?.cancel();
      await setTimeout(asked, undefined, { signal });
    }
  };
}

/** Retry-After: seconds, or a date. */
function retryAfterMs({ headers }: Response): number | null {
  const text = headers.get('retry-after');
  if (text === null) return null;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}

const AGAIN = 'Push again: what has arrived is not uploaded again.';

function lost(repo: string, error: unknown): HubUnreachableError {
  const { cause, message } = error as Error & { cause?: { code?: string } };
  return new HubUnreachableError(`the connection to the hub was lost (${cause?.code ?? message})`, {
    file: repo,
    hint: `Check the network. ${AGAIN}`,
  });
}

async function refusal(repo: string, token: string, response: Response): Promise<CodedError> {
  const { status } = response;
  const reason = await reasonOf(response, token);
  const settings = `${hubEndpoint()}/settings/tokens`;
  const wrong = (message: string, hint: string) => new InputError(message + reason, { file: repo, hint });
  switch (status) {
    case 401:
      return new InputError(`the hub does not accept this token${reason}`, {
        file: repo,
        key: 'HF_TOKEN',
        hint: `Make one that may write at ${settings}.`,
      });
    case 403:
      return wrong('this token may not write to the repository', `Make one that may write to it at ${settings}.`);
    case 404:
      return wrong('the repository does not exist, or not for this token', 'Check --repo and --revision.');
    case 409:
    case 412:
      return new ConflictError(`the repository has changed in the meantime${reason}`, {
        file: repo,
        hint: AGAIN,
      });
    case 413:
      return wrong('a file is too large for the hub', 'Choose smaller parts or a smaller type, such as --type q8_0.');
  }
  if (BUSY.includes(status))
    return new HubUnreachableError(`the hub is busy (it responded with status ${status}${reason})`, {
      file: repo,
      hint: `Wait a while. ${AGAIN}`,
    });
  return wrong(`the hub refused the upload with status ${status}`, 'See what it says, and push again.');
}

/** What the hub says; its pages are left out. */
async function reasonOf(response: Response, token: string): Promise<string> {
  const isJson = response.headers.get('content-type')?.includes('json') ?? false;
  const body = await response.text().catch(() => '');
  if (!isJson) return '';
  try {
    const { error, message } = JSON.parse(body) as { error?: unknown; message?: unknown };
    const text = [error, message].find(each => typeof each === 'string') as string | undefined;
    return text ? `: ${said(text, token)}` : '';
  } catch {
    return '';
  }
}

/** What a server says, short, without the token and without addresses, which may be signed. */
function said(text: string, token: string): string {
  const shown = text.replaceAll(token, '…').replaceAll(/https?:\/\/\S+/g, '…');
  return visibleControls(shown).slice(0, 300);
}
