import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { afterAll, expect, it } from 'vitest';
import {
  describeFiles,
  packageName,
  packageUri,
  partContents,
  partPackage,
} from '../../../../extension/src/engine/ray/jobFiles.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-parts-'));
afterAll(() => rmSync(folder, { recursive: true }));
const sha256 = (content: Uint8Array) => createHash('sha256').update(content).digest('hex');

it('splits a large file into parts of 48 MiB, each known by its hash, and sends each content once', () => {
  const large = Buffer.alloc((48 << 20) + 3, 7);
  const small = Buffer.from('rows');
  const paths = new Map(
    Object.entries({ large, small, copy: small }).map(([name, content]) => {
      writeFileSync(join(folder, name), content);
      return [name, join(folder, name)] as const;
    }),
  );
  const files = describeFiles(paths);
  expect(files['large']).toEqual({
    bytes: large.length,
    parts: [
      { sha256: sha256(large.subarray(0, 48 << 20)), bytes: 48 << 20 },
      { sha256: sha256(Buffer.alloc(3, 7)), bytes: 3 },
    ],
  });
  expect(files['copy']).toEqual(files['small']);
  const all = new Set(Object.values(files).flatMap(({ parts }) => parts.map(part => part.sha256)));
  const sent = [...partContents(paths, files, all)];
  expect(sent.map(({ content }) => content.length)).toEqual([48 << 20, 3, 4]);
  for (const part of sent) expect(sha256(part.content)).toBe(part.sha256);
  expect([...partContents(paths, files, new Set([sha256(small)]))]).toHaveLength(1);
});

it('an empty file has no parts', () => {
  writeFileSync(join(folder, 'empty'), '');
  expect(describeFiles(new Map([['empty', join(folder, 'empty')]]))).toEqual({ empty: { bytes: 0, parts: [] } });
});

it('a package is named by what is in it, and is the same each time', () => {
  const content = Buffer.from('rows');
  const id = sha256(content);
  expect(packageUri(id)).toBe(`gcs://${packageName(id)}`);
  const archive = partPackage(id, content);
  expect(partPackage(id, content)).toEqual(archive);
  expect(Object.keys(unzipSync(archive))).toEqual([`tunewright_parts/${id}`]);
});
