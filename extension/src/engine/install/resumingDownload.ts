// Downloads a file as a stream of bytes; if the connection breaks, it requests the rest. Called by wheelDownload.ts and
// tfjsNodeDownload.ts. Stores nothing and checks no hash: the caller does.
import { describeUrl, type IndexClient } from './indexClient.js';
import { BROKEN_CONNECTION, FIRST_ANSWER, waitAfterFailure, type RetryPolicy } from './retry.js';
import { SourceError } from './sourceError.js';

export interface DownloadOptions {
  /** Bytes of the whole file, if known; else taken from the server and passed to `onSize`. */
  size?: number;
  onSize?: (bytes: number) => void;
  /** Applies after the first bytes; counts failures in a row without any progress. */
  retry?: RetryPolicy;
}

interface RemoteFile {
  url: URL;
  size: number | undefined;
  onSize: DownloadOptions['onSize'];
  /** A strong ETag or the date, if the server has them, to detect that the file has changed. */
  validator: string | undefined;
}

/** @throws SourceError if the file can't be downloaded, changes in the meantime, or the connection breaks repeatedly */
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
          throw new SourceError(`${describeUrl(url)} sends more than the expected ${file.size} bytes`);
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

/** Reads over one connection, from byte `start` until the file or the connection ends. */
async function* readFrom(client: IndexClient, file: RemoteFile, start: number): AsyncGenerator<Buffer> {
  // No compression: sizes and ranges refer to the bytes of the file.
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (start > 0) headers.range = `bytes=${start}-`;
  if (start > 0 && file.validator !== undefined) headers['if-range'] = file.validator;
  const answer = await client.get(file.url, headers);
  try {
    const validator = validatorOf(answer.headers);
    if (start > 0 && validator !== file.validator)
      throw new SourceError(`${describeUrl(file.url)} changed during the download`);
    file.validator = validator;
    const isPart = answer.status === 206;
    if (isPart && !String(answer.headers['content-range']).startsWith(`bytes ${start}-`))
      throw new SourceError(`${describeUrl(file.url)} sends another part than the requested one`);
    const length = Number(answer.headers['content-length']);
    if (file.size === undefined && !isPart && length > 0) file.onSize?.((file.size = length));
    // A server without support for ranges sends the whole file: skip the bytes that were already received.
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
    throw new SourceError(`the connection to ${describeUrl(file.url)} was interrupted (${code ?? message})`, {
      transient: true,
    });
  } finally {
    answer.body.on('error', () => {}).destroy();
  }
}

function validatorOf({ etag, 'last-modified': date }: Record<string, unknown>): string | undefined {
  return [etag, date].find((value): value is string => typeof value === 'string' && !value.startsWith('W/'));
}
