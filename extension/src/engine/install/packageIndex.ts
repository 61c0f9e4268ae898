// Finds a wheel in the Python package indexes of the user's settings. The list of a project's files may be JSON (PEP 691) or HTML
// (PEP 503). Called by wheelDownload.ts.
import * as z from 'zod';
import { describeUrl, type Answer, type IndexClient } from './indexClient.js';
import { FIRST_ANSWER, waitAfterFailure } from './retry.js';
import { SourceError } from './sourceError.js';
import { chooseWheel, parseRequirement, type IndexFile } from './wheelChoice.js';

const ACCEPT = 'application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01';

/** The list of a project with thousands of files has a few MB. */
const MAX_PAGE_BYTES = 64e6;

const projectSchema = z.object({
  files: z.array(
    z.object({
      filename: z.string(),
      url: z.string(),
      hashes: z.record(z.string(), z.string()),
      size: z.number().nullish(),
      yanked: z.union([z.boolean(), z.string()]).optional(),
    }),
  ),
});

/**
 * The wheel from the first index that has one: an extra index never overrides the main one with a higher version.
 * @throws SourceError saying why each index failed
 */
export async function findWheel(
  client: IndexClient,
  text: string,
  platforms: readonly string[],
): Promise<IndexFile & { sha256: string }> {
  if (client.settings.indexes.length === 0)
    throw new SourceError("pip's setting no-index forbids the package index", {
      hint: 'Unset PIP_NO_INDEX (or no-index in pip.conf).',
    });
  const requirement = parseRequirement(text);
  const failures: SourceError[] = [];
  for (const index of client.settings.indexes) {
    const page = new URL(`${index.href.replace(/\/*$/, '')}/${requirement.project}/`);
    try {
      return chooseWheel(await listFiles(client, page), requirement, platforms, describeUrl(page));
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      failures.push(error);
    }
  }
  throw new SourceError(failures.map(({ message }) => message).join('; '), { hint: failures[0].hint });
}

async function listFiles(client: IndexClient, page: URL): Promise<IndexFile[]> {
  for (let failures = 1; ; failures++) {
    try {
      const answer = await client.get(page, { accept: ACCEPT });
      const text = await readPage(answer);
      return /\bjson\b/.test(String(answer.headers['content-type']))
        ? readJsonPage(text, answer.url)
        : readHtmlPage(text, answer.url);
    } catch (error) {
      await waitAfterFailure(error, failures, FIRST_ANSWER, client.signal);
    }
  }
}

async function readPage({ url, body }: Answer): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_PAGE_BYTES) throw new SourceError(`the list from ${describeUrl(url)} is too long`);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof SourceError) throw error;
    throw new SourceError(`the connection to ${describeUrl(url)} was interrupted`, { transient: true });
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** @param base address of the page, to resolve those of files */
export function readJsonPage(text: string, base: URL): IndexFile[] {
  let files: z.infer<typeof projectSchema>['files'];
  try {
    ({ files } = projectSchema.parse(JSON.parse(text)));
  } catch {
    throw new SourceError(`the response from ${describeUrl(base)} is not a list of files`);
  }
  return files
    .filter(({ url }) => URL.canParse(url, base.href))
    .map(({ filename, url, hashes, size, yanked }) => ({
      filename,
      url: new URL(url, base),
      sha256: hashes.sha256 ?? null,
      size: size ?? null,
      yanked: yanked !== undefined && yanked !== false,
    }));
}

/** @param base address of the page, to resolve those of files */
export function readHtmlPage(text: string, base: URL): IndexFile[] {
  return [...text.matchAll(/<a\s((?:"[^"]*"|'[^']*'|[^'">])*)>([^<]*)<\/a\s*>/gi)].flatMap(([, attributes, label]) => {
    const href = /(?:^|\s)href\s*=\s*(?:"([^"]*)"|'([^']*)')/i.exec(attributes);
    const address = decodeEntities(href?.[1] ?? href?.[2] ?? '');
    if (address === '' || !URL.canParse(address, base.href)) return [];
    const url = new URL(address, base);
    const sha256 = /^#sha256=([0-9a-f]{64})$/i.exec(url.hash)?.[1] ?? null;
    url.hash = '';
    return [
      {
        filename: decodeEntities(label).trim(),
        url,
        sha256,
        size: null,
        yanked: /(?:^|\s)data-yanked\b/i.test(attributes),
      },
    ];
  });
}

const MAX_CODE_POINT = 0x10ffff;

function decodeEntities(text: string): string {
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (entity, decimal, hex, name) => {
    if (name !== undefined) return named[name.toLowerCase()] ?? entity;
    const point = decimal === undefined ? parseInt(hex, 16) : Number(decimal);
    return point <= MAX_CODE_POINT ? String.fromCodePoint(point) : entity;
  });
}
