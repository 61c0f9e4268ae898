// The bytes of one file of the network in order, whatever happens to the connection: after a break it asks for the rest.
// Called by the wheel's download and tfjs-node's. Keeps nothing and checks no hash: the caller does.
import { describeUrl, type IndexClient } from './indexClient.js';
import { BROKEN_CONNECTION, FIRST_ANSWER, waitAfterFailure, type RetryPolicy } from './retry.js';
import { SourceError } from './sourceError.js';

export interface DownloadOptions {
  /** Bytes of the whole file, where they are known before; else the server's word is taken, and `onSize` told. */
  size?: number;
  onSize?: (bytes: number) => void;
  /** Once something has come; failures count in a row, without a byte between them. */
  retry?: RetryPolicy;
}

interface RemoteFile {
  url: URL;
  size: number | undefined;
  onSize: DownloadOptions['onSize'];
  /** What tells that the file is still the same, where the server has it: a strong ETag, or its date. */
  validator: string | undefined;
}

/** @throws SourceError where the file can't be had, changes on the way, or the connection breaks again and again. */
export async function* resumingDownload(
  client: IndexClient,
  url: URL,
  { size, onSize, retry = BROKEN_CONNECTION }: DownloadOptions = {},
): AsyncGenerator<Buffer> {
  const file: RemoteFile = { url, size, onSize, validator: undefined };
  let done = 0;
  for (let failures = 0; ;) {
    const before = done;
    try {
      for await (const chunk of readFrom(client, file, done)) {
        done += chunk.length;
        if (file.size !== undefined && done > file.size)
          throw new SourceError(`${describeUrl(url)} sends more than the ${file.size} bytes that it should have`);
        yield chunk;
      }
      if (file.size === undefined || done === file.size) return;
      throw new SourceError(`the connection to ${describeUrl(url)} ended at byte ${done} of ${file.size}`, {
        transient: true,
      });
    } catch (error) {
      failures = done > before ? 1 : failures + 1;
      await waitAfterFailure(error, failures, done > 0 ? retry : FIRST_ANSWER, client.signal);
    }
  }
}

/** One connection's share: from byte `start` until the file or the connection ends. */
async function* readFrom(client: IndexClient, file: RemoteFile, start: number): AsyncGenerator<Buffer> {
  // Not compressed on the way: sizes and ranges count the file's own bytes
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (start > 0) headers.range = `bytes=${start}-`;
  if (start > 0 && file.validator !== undefined) headers['if-range'] = file.validator;
  const answer = await client.get(file.url, headers);
  try {
    const validator = validatorOf(answer.headers);
    if (start > 0 && validator !== file.validator)
      throw new SourceError(`${describeUrl(file.url)} changed while it was downloaded`);
    file.validator = validator;
    const isPart = answer.status === 206;
    if (isPart && !String(answer.headers['content-range']).startsWith(`bytes ${start}-`))
      throw new SourceError(`${describeUrl(file.url)} sends another part than the one asked for`);
    const length = Number(answer.headers['content-length']);
    if (file.size === undefined && !isPart && length > 0) file.onSize?.((file.size = length));
    // A server that knows no ranges sends all of it: what was there before goes by
    let known = isPart ? 0 : start;
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      const fresh = chunk.subarray(known);
      known = Math.max(0, known - chunk.length);
      if (fresh.length > 0) yield fresh;
    }
  } catch (error) {
    client.signal?.throwIfAborted();
    if (error instanceof SourceError) throw error;
    const { code, message } = error as Error & { code?: string };
    throw new SourceError(`the connection to ${describeUrl(file.url)} broke off (${code ?? message})`, {
      transient: true,
    });
  } finally {
    answer.body.on('error', () => {}).destroy();
  }
}

function validatorOf({ etag, 'last-modified': date }: Record<string, unknown>): string | undefined {
  return [etag, date].find((value): value is string => typeof value === 'string' && !value.startsWith('W/'));
}
