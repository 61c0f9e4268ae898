import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { withIndexClient } from '../../../../extension/src/engine/install/indexClient.js';
import { readIndexSettings } from '../../../../extension/src/engine/install/indexSettings.js';
import { resumingDownload, type DownloadOptions } from '../../../../extension/src/engine/install/resumingDownload.js';
import { listen, useOwnSettings, type Loopback } from '../../../support/loopback.js';

const content = randomBytes(300_000);
const retry = { maxFailures: 3, firstPauseMs: 1 };

let home: string;
let server: Loopback;
/** Bytes of the present download that have arrived. */
let received: number;
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'tunewright-download-'));
  useOwnSettings(home);
  server = await listen((request, response) => answer(request, response));
});

afterEach(() => {
  server.close();
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true });
});

function download(options: DownloadOptions = {}, signal?: AbortSignal): Promise<Buffer> {
  received = 0;
  return withIndexClient(readIndexSettings(), signal, async client => {
    const chunks: Buffer[] = [];
    for await (const chunk of resumingDownload(client, new URL(`${server.url}/file`), { retry, ...options })) {
      chunks.push(chunk);
      received += chunk.length;
    }
    return Buffer.concat(chunks);
  });
}

/** Closes the connection once all that was written has arrived: what is still on its way would be lost. */
function breakOnce(arrived: () => boolean, response: ServerResponse): void {
  if (arrived() || response.destroyed) response.destroy();
  else setImmediate(breakOnce, arrived, response);
}

/** A server that supports ranges and closes the connection after `bytes` of each response. */
function breakingAfter(bytes: number, { ranges = true, etag = '"1"' as string | null } = {}) {
  return (request: IncomingMessage, response: ServerResponse) => {
    const start = ranges ? Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0) : 0;
    const headers: Record<string, string | number> = { 'content-length': content.length - start };
    if (etag !== null) headers.etag = etag;
    if (start > 0) headers['content-range'] = `bytes ${start}-${content.length - 1}/${content.length}`;
    response.writeHead(start > 0 ? 206 : 200, headers);
    if (start + bytes >= content.length) response.end(content.subarray(start));
    else {
      response.write(content.subarray(start, start + bytes));
      breakOnce(() => received >= start + bytes, response);
    }
  };
}

describe('resumingDownload', () => {
  it('returns the bytes in order over any number of broken connections', async () => {
    answer = breakingAfter(70_000);
    const sizes: number[] = [];
    expect((await download({ onSize: bytes => sizes.push(bytes) })).equals(content)).toBe(true);
    expect(sizes).toEqual([content.length]);
    expect(server.requests.map(({ headers }) => [headers.range, headers['if-range']])).toEqual([
      [undefined, undefined],
      ['bytes=70000-', '"1"'],
      ['bytes=140000-', '"1"'],
      ['bytes=210000-', '"1"'],
      ['bytes=280000-', '"1"'],
    ]);
  });

  it('requests the rest without a condition if the server has no validator', async () => {
    answer = breakingAfter(200_000, { etag: null });
    expect((await download()).equals(content)).toBe(true);
    expect(server.requests[1].headers).toMatchObject({ range: 'bytes=200000-' });
    expect(server.requests[1].headers['if-range']).toBeUndefined();
  });

  it('skips the bytes it already has if the server does not support ranges', async () => {
    let length = 100_000;
    answer = (request, response) => breakingAfter((length += 100_000), { ranges: false })(request, response);
    expect((await download()).equals(content)).toBe(true);
    expect(server.requests).toHaveLength(2);
  });

  it('gives up after several failures without progress', async () => {
    answer = (request, response) =>
      request.headers.range ? void response.socket!.destroy() : breakingAfter(1000)(request, response);
    await expect(download()).rejects.toThrow(/can't be reached|interrupted/);
    expect(server.requests).toHaveLength(3);
  });

  it('rejects a file that changed, a response for another part, and more bytes than expected', async () => {
    let etag = 0;
    answer = (request, response) =>
      breakingAfter(++etag * 150_000, { ranges: false, etag: `"${etag}"` })(request, response);
    await expect(download()).rejects.toThrow(/changed during the download/);
    answer = (request, response) =>
      request.headers.range
        ? response.writeHead(206, { etag: '"1"', 'content-range': 'bytes 5-9/10' }).end('12345')
        : breakingAfter(1000)(request, response);
    await expect(download()).rejects.toThrow(/another part/);
    answer = (_request, response) => void response.end(content);
    await expect(download({ size: 1000 })).rejects.toThrow(/more than the expected 1000 bytes/);
  });

  it('does not repeat the request for a missing file', async () => {
    answer = (_request, response) => void response.writeHead(404).end();
    await expect(download()).rejects.toThrow(`${server.url}/file responded with status 404`);
    expect(server.requests).toHaveLength(1);
  });

  it('stops immediately when aborted', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 1000));
    };
    const stop = new AbortController();
    const stopped = download({ onSize: () => stop.abort() }, stop.signal);
    await expect(stopped).rejects.toThrow(/abort/i);
    expect(server.requests).toHaveLength(1);
  });
});
