// What the preview shows before the worker answers: rows read from the beginning of the file.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DatasetWorkerClient } from '../../../../extension/src/host/datasets/datasetWorkerClient.js';
import { previewFirstRows } from '../../../../extension/src/host/datasets/firstRows.js';
import { PreviewSession } from '../../../../extension/src/host/datasets/previewSession.js';
import type { DatasetSummary } from '../../../../extension/src/host/datasets/worker/workerMessages.js';
import { listPreviewRows, openPreview } from '../../../../extension/src/protocol/datasetPreviewMessages.js';
import { WebviewChannel } from '../../../../extension/src/protocol/webviewChannel.js';
import { root } from '../../../support/datasetWorker.js';

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'tunewright-first-'))));
afterAll(() => rmSync(folder, { recursive: true }));

function written(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}
const example = (name: string) => join(root, 'media/datasets', name);

describe('the first rows', () => {
  test.each<[string, number, RegExp]>([
    ['pirate.messages.jsonl', 60, /^How do you learn to read\? → Arr, ye learn/],
    ['haiku.sharegpt.json', 32, / → /],
    ['facts.csv', 48, / → /],
  ])('of %s say what the rows hold', async (name, count, excerpt) => {
    const rows = await previewFirstRows(example(name));
    expect(rows).toHaveLength(count);
    expect(rows[0]).toMatchObject({ row: 0, tokens: null, labelTokens: null, problems: [] });
    expect(rows[0]!.excerpt).toMatch(excerpt);
    expect(rows.map(({ row }) => row)).toEqual(rows.map((_, index) => index));
  });

  test('are shown as text where they are invalid or not a dataset', async () => {
    const path = written('broken.jsonl', '{"some":1}\n\n{"other": [oops\n{"text":"\xff"}');
    const rows = await previewFirstRows(path);
    expect(rows.map(({ line, excerpt }) => [line, excerpt])).toEqual([
      [1, '{"some":1}'],
      [3, '{"other": [oops'],
      [4, '{"text":"\xff"}'],
    ]);
  });

  test('are complete: a row that extends beyond the part read is left out', async () => {
    const path = written('long.jsonl', `{"text":"short"}\n{"text":"${'x'.repeat(1 << 20)}"}\n`);
    expect(await previewFirstRows(path)).toMatchObject([{ excerpt: 'short' }]);
  });

  test('are none if nothing can be read', async () => {
    expect(await previewFirstRows(join(folder, 'missing.jsonl'))).toEqual([]);
    expect(await previewFirstRows(written('empty.csv', ''))).toEqual([]);
    expect(await previewFirstRows(example('facts.parquet'))).toEqual([]);
  });
});

describe('a preview', () => {
  /** A session with a worker that answers nothing, and the page's end of its channel. */
  async function open(reading: () => Promise<never>) {
    let tell: ((summary: DatasetSummary) => void) | null = null;
    const dataset = { ask: async (name: string) => [{ ...row, excerpt: `${name} of the worker` }], dispose: () => {} };
    const [host, page] = channels();
    const session = new PreviewSession({
      path: example('pirate.messages.jsonl'),
      firstRows: await previewFirstRows(example('pirate.messages.jsonl')),
      channel: host,
      worker: {
        open: (_source: unknown, _settings: unknown, onSummary: (summary: DatasetSummary) => void) => {
          tell = onSummary;
          return dataset;
        },
      } as unknown as DatasetWorkerClient,
      reading,
      watch: () => () => {},
      outdatedRuns: () => 0,
      fineTune: () => {},
      ask: () => {},
      reveal: () => {},
      onFault: () => {},
    });
    return { session, page, isOpen: () => tell !== null, tell: (summary: object) => tell!(summary as DatasetSummary) };
  }
  const row = { row: 0, line: 1, tokens: 3, labelTokens: 1, problems: [] };

  test('shows them before the settings are known and the worker answers', async () => {
    const { session, page } = await open(() => new Promise(() => {}));
    expect(await page.request(openPreview, undefined)).toMatchObject({ rows: 60, phase: 'indexing', format: null });
    const rows = await page.request(listPreviewRows, { from: 0, to: 100 });
    expect(rows).toHaveLength(60);
    expect(rows[0]!.excerpt).toMatch(/^How do you learn/);
    session.dispose();
  });

  test('starts the worker once the page is open, and uses its rows as soon as it has some', async () => {
    const { session, page, isOpen, tell } = await open(async () => ({ settings: {}, readBy: '' }) as never);
    expect(isOpen()).toBe(false);
    await page.request(openPreview, undefined);
    expect(isOpen()).toBe(true);
    tell({ phase: 'indexing', rows: 0 });
    expect(await page.request(listPreviewRows, { from: 0, to: 100 })).toHaveLength(60);
    tell({ phase: 'indexing', rows: 5000 });
    expect(await page.request(listPreviewRows, { from: 0, to: 100 })).toMatchObject([
      { excerpt: 'list of the worker' },
    ]);
    session.dispose();
  });

  test('shows the error if the worker can’t open the file', async () => {
    const { session, page } = await open(() => Promise.reject(new Error('no such run file')));
    await page.request(openPreview, undefined);
    expect(await page.request(openPreview, undefined)).toMatchObject({ error: 'no such run file' });
    session.dispose();
  });
});

/** Both ends of a channel. */
function channels(): [WebviewChannel, WebviewChannel] {
  const listeners: ((message: unknown) => void)[][] = [[], []];
  const end = (own: number) =>
    new WebviewChannel(
      {
        post: message => queueMicrotask(() => listeners[1 - own]!.forEach(listener => listener(message))),
        listen: listener => {
          listeners[own]!.push(listener);
          return () => void listeners[own]!.splice(listeners[own]!.indexOf(listener), 1);
        },
      },
      () => {},
    );
  return [end(0), end(1)];
}
