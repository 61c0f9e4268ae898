// What the hub says of a model: its commit, and its files. The answers are checked: they come from another machine, which HF_ENDPOINT or
// a proxy may have changed. Called by pullModel.ts and pushFiles.ts.
import { listFiles, modelInfo } from '@huggingface/hub';
import * as z from 'zod';
import { CodedError } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import { hubEndpoint, unreachable } from './hubAccess.js';

/** A model of a thousand shards has one of 300 kB; a list has a page per thousand files. */
const MAX_ANSWER_BYTES = 16 << 20;
const MAX_PAGES = 100;

const infoSchema = z.object({ sha: z.string().regex(/^[0-9a-f]{40}$/) });

const fileSchema = z.object({
  path: z.string(),
  size: z.int().nonnegative(),
  oid: z.string().optional(),
  lfs: z.object({ oid: z.string() }).optional(),
});
export type HubFile = z.infer<typeof fileSchema>;

interface Access {
  id: string;
  /** Sends the token, if there is one. */
  fetch: typeof fetch;
}

/** The commit of a branch, a tag or a commit. @throws InputError, and what `fetch` throws */
export async function commitOf({ id, fetch }: Access, revision: string): Promise<string> {
  const access = { hubUrl: hubEndpoint(), fetch: bounded(id, fetch) };
  const info = await understood(id, () => modelInfo({ name: id, revision, additionalFields: ['sha'], ...access }));
  const { success, data } = infoSchema.safeParse(info);
  if (!success) throw new InputError('the hub does not name a commit for this model', { file: id });
  return data.sha;
}

/** The files of a commit that are in no folder. @throws InputError, and what `fetch` throws */
export async function filesOf({ id, fetch }: Access, commit: string): Promise<HubFile[]> {
  const access = { hubUrl: hubEndpoint(), fetch: bounded(id, fetch) };
  return understood(id, async () => {
    const files: HubFile[] = [];
    for await (const entry of listFiles({ repo: id, revision: commit, ...access }))
      if (entry.type === 'file') files.push(fileSchema.parse(entry));
    return files;
  });
}

/** What isn't an error of ours is one that the library's or the schema's reading of a damaged answer has ended in. */
export async function understood<T>(place: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const { name } = error as Error;
    if (error instanceof CodedError || name === 'AbortError') throw error;
    throw notTheHub(place);
  }
}

/** For an answer that isn't the hub's. */
export function notTheHub(place: string): InputError {
  return new InputError(`what answers at ${hubEndpoint()} is not the hub, or is a proxy before it`, {
    file: place,
    hint: 'HF_ENDPOINT says where the hub is.',
  });
}

/** Answers that are read as a whole, and pages that name the next, may have no end. */
function bounded(id: string, send: typeof fetch): typeof fetch {
  let pages = 0;
  return async (input, init) => {
    const endless = () => new InputError('the hub sends an answer without an end', { file: id });
    if (++pages > MAX_PAGES) throw endless();
    const response = await send(input, init);
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    let bytes = 0;
    try {
      for await (const chunk of response.body ?? []) {
        bytes += chunk.length;
        if (bytes > MAX_ANSWER_BYTES) throw endless();
        chunks.push(chunk as Uint8Array<ArrayBuffer>);
      }
    } catch (error) {
      if (error instanceof CodedError || (error as Error).name === 'AbortError') throw error;
      throw unreachable(id, error);
    }
    return new Response(new Blob(chunks), response);
  };
}
