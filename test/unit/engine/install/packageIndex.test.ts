import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { withIndexClient } from '../../../../extension/src/engine/install/indexClient.js';
import { readIndexSettings } from '../../../../extension/src/engine/install/indexSettings.js';
import { findWheel, readHtmlPage, readJsonPage } from '../../../../extension/src/engine/install/packageIndex.js';
import { listen, useOwnSettings, type Loopback } from '../../../support/loopback.js';

const hash = 'ab'.repeat(32);
const base = new URL('https://index.example/simple/some-package/');

describe('readJsonPage', () => {
  it('reads PEP 691, with and without optional fields', () => {
    const files = [
      { filename: 'a-1-py3-none-any.whl', url: '../../files/a.whl', hashes: { sha256: hash }, size: 7, yanked: false },
      { filename: 'b', url: 'https://files.example/b', hashes: {}, yanked: 'broken' },
    ];
    expect(readJsonPage(JSON.stringify({ meta: { 'api-version': '1.1' }, files }), base)).toEqual([
      {
        filename: 'a-1-py3-none-any.whl',
        url: new URL('https://index.example/files/a.whl'),
        sha256: hash,
        size: 7,
        yanked: false,
      },
      { filename: 'b', url: new URL('https://files.example/b'), sha256: null, size: null, yanked: true },
    ]);
  });

  it('names the address of an invalid response', () => {
    for (const text of ['<html>', '{"files":[{}]}'])
      expect(() => readJsonPage(text, base)).toThrow(
        'the response from https://index.example/simple/some-package/ is not a list of files',
      );
  });
});

describe('readHtmlPage', () => {
  it('reads PEP 503: links, hashes, yanked files', () => {
    const page = `<!DOCTYPE html><html><body><h1>Links</h1>
      <a href="../../f/a%2B1.whl?x=1&amp;y=2#sha256=${hash}" data-requires-python="&gt;=3.9">a+1.whl</a><br/>
      <A data-requires-python=">=3.9" HREF='https://files.example/b.whl#md5=00' data-yanked="">b.whl</A>
      <a name="top">no link</a></body></html>`;
    expect(readHtmlPage(page, base)).toEqual([
      {
        filename: 'a+1.whl',
        url: new URL('https://index.example/f/a%2B1.whl?x=1&y=2'),
        sha256: hash,
        size: null,
        yanked: false,
      },
      { filename: 'b.whl', url: new URL('https://files.example/b.whl'), sha256: null, size: null, yanked: true },
    ]);
  });
});

it('leaves an entity alone that is no character', () => {
  const [file] = readHtmlPage('<a href="a-1.whl?&#x110000;&#99999999999;">a-1.whl</a>', base);
  expect(file!.url.search).toBe('?&');
});

describe('findWheel', () => {
  const wheel = 'tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl';
  let home: string;
  let index: Loopback;
  let answers: Record<string, { status?: number; type?: string; body: string }[]>;

  beforeEach(async () => {
    home = mkdtempSync(join(tmpdir(), 'tunewright-index-'));
    useOwnSettings(home);
    answers = {};
    index = await listen((request, response) => {
      const queue = answers[request.url!] ?? [];
      const {
        status = 200,
        type = 'text/html',
        body,
      } = (queue.length > 1 ? queue.shift() : queue[0]) ?? {
        status: 404,
        body: 'none',
      };
      response.writeHead(status, { 'content-type': type }).end(body);
    });
    vi.stubEnv('PIP_INDEX_URL', `${index.url}/main/`);
  });

  afterEach(() => {
    index.close();
    vi.unstubAllEnvs();
    rmSync(home, { recursive: true });
  });

  const find = () =>
    withIndexClient(readIndexSettings(), undefined, client =>
      findWheel(client, 'tensorflow-cpu==2.21.0', ['manylinux_2_27_x86_64']),
    );

  it('requests JSON and accepts HTML', async () => {
    answers['/main/tensorflow-cpu/'] = [{ body: `<a href="/files/${wheel}#sha256=${hash}">${wheel}</a>` }];
    expect(await find()).toMatchObject({ url: new URL(`${index.url}/files/${wheel}`), sha256: hash });
    expect(index.requests[0].headers.accept).toMatch(/^application\/vnd\.pypi\.simple\.v1\+json,.*text\/html/);
    const type = 'application/vnd.pypi.simple.v1+json';
    const files = [{ filename: wheel, url: 'x.whl', hashes: { sha256: hash } }];
    answers['/main/tensorflow-cpu/'] = [{ type, body: JSON.stringify({ files }) }];
    expect(await find()).toMatchObject({ url: new URL(`${index.url}/main/tensorflow-cpu/x.whl`) });
  });

  it('repeats the request after a temporary error', async () => {
    answers['/main/tensorflow-cpu/'] = [
      { status: 503, body: 'busy' },
      { body: `<a href="/x#sha256=${hash}">${wheel}</a>` },
    ];
    expect(await find()).toMatchObject({ filename: wheel });
  });

  it('tries the extra indexes, and says why each failed if none has the wheel', async () => {
    vi.stubEnv('PIP_EXTRA_INDEX_URL', `${index.url}/extra`);
    answers['/extra/tensorflow-cpu/'] = [{ body: `<a href="/x#sha256=${hash}">${wheel}</a>` }];
    expect(await find()).toMatchObject({ url: new URL(`${index.url}/x`) });
    answers['/extra/tensorflow-cpu/'] = [{ status: 403, body: 'no' }];
    await expect(find()).rejects.toMatchObject({
      message:
        `${index.url}/main/tensorflow-cpu/ responded with status 404; ` +
        `${index.url}/extra/tensorflow-cpu/ responded with status 403`,
      hint: expect.stringContaining('PIP_INDEX_URL'),
    });
  });

  it('obeys no-index', async () => {
    vi.stubEnv('PIP_NO_INDEX', 'true');
    await expect(find()).rejects.toThrow('no-index');
    expect(index.requests).toEqual([]);
  });
});
