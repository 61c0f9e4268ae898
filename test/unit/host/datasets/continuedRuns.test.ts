// A chain of runs on a dataset that is edited: which runs start, from what, and above all which don't.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { initialRunState, type RunState } from '../../../../extension/src/core/runs/runState.js';
import {
  ContinuedRuns,
  linkToContinue,
  type ChainLink,
} from '../../../../extension/src/host/datasets/continuedRuns.js';
import type { FileEvent } from '../../../../extension/src/host/datasets/fileWatch.js';
import type { Run } from '../../../../extension/src/host/services.js';

vi.mock('vscode', () => ({ workspace: { isTrusted: true } }));

describe('linkToContinue', () => {
  const link = (content: string | null, more: Partial<ChainLink> = {}): ChainLink => ({
    ...{ phase: 'completed', alive: false, continues: true, content, ...more },
  });
  const failed = link(null, { phase: 'failed' });
  const [a, b] = [link('a'), link('b')];

  it('continues from the latest completed run', () => {
    expect(linkToContinue([b, a], 'c')).toBe(b);
    expect(linkToContinue([failed, b, a], 'c')).toBe(b);
    expect(linkToContinue([link('x', { phase: 'interrupted' }), a], 'c')).toBe(a);
  });

  it.each([
    ['rows that a run of the chain was trained on', [b, a], 'a'],
    ['a chain whose youngest run doesn’t ask for it', [link('b', { continues: false }), a], 'c'],
    ['a run that was stopped', [link('b', { phase: 'stopped' }), a], 'c'],
    ['a run that trains', [link('b', { alive: true, phase: 'running' }), a], 'c'],
    ['a run that hasn’t read its rows yet', [link(null, { alive: true, phase: 'starting' }), a], 'c'],
    ['a run whose job goes on on a cluster', [link('b', { phase: 'detached' }), a], 'c'],
    ['nothing that ever came to an end', [failed], 'c'],
    ['a result of unknown rows', [link(null)], 'c'],
  ])('starts nothing after %s', (_, chain, content) => {
    expect(linkToContinue(chain, content)).toBeNull();
  });
});

/** The services that ContinuedRuns depends on. */
interface Window {
  saved(event: FileEvent): void;
  listChanged(): void;
  ended(run: Run): void;
  runs: ContinuedRuns;
}

describe('ContinuedRuns', () => {
  const path = '/data/rows.jsonl';
  let folder: string;
  let content: string;
  let trusted: boolean;
  let dirty: boolean;
  let runs: (Run & { tell(content: string | null, reason: string | null): void })[];
  let windows: Window[];
  let faults: Error[];

  function add(name: string, config: object = {}): (typeof runs)[number] {
    const own = join(folder, `${name}-${runs.length}`);
    mkdirSync(join(own, 'adapter'), { recursive: true });
    let state: RunState = initialRunState;
    const run = {
      folder: own,
      name,
      config: {
        name,
        dataset: { train: path, on_change: 'continue' },
        method: { peft_type: 'LORA', r: 4, init_from: null },
        ...config,
      },
      alive: true,
      glance: () => state,
      /** Ends the run's process: what it was trained on, and how it ended; without a reason, it failed. */
      tell(dataset_hash: string | null, reason: string | null) {
        run.alive = false;
        const status = reason === null ? 'failed' : reason === 'stopped' ? 'stopped' : 'completed';
        const started = dataset_hash === null ? null : { dataset_hash };
        state = { ...state, status, started, completed: reason && { reason, adapter: 'adapter' } } as RunState;
        for (const each of windows) each.ended(run as unknown as Run);
      },
    };
    runs.unshift(run as unknown as (typeof runs)[number]);
    for (const each of windows) each.listChanged();
    return runs[0]!;
  }

  const edit = (to: string, event: FileEvent = 'changed') => {
    content = to;
    for (const each of windows) each.saved(event);
  };
  /** That these are the runs, latest first, long after the last save. */
  const expectRuns = async (...expected: string[]) => {
    await vi.advanceTimersByTimeAsync(60_000);
    expect(names()).toEqual(expected);
  };
  const names = () => runs.map(run => run.name);

  beforeEach(() => {
    vi.useFakeTimers();
    folder = mkdtempSync(join(tmpdir(), 'tunewright-continued-'));
    [content, trusted, dirty, runs, faults, windows] = ['a', true, false, [], [], []];
    openWindow();
  });
  afterEach(() => {
    for (const each of windows) each.runs.dispose();
    vi.useRealTimers();
    rmSync(folder, { recursive: true, force: true });
    expect(faults).toEqual([]);
  });

  function openWindow(): void {
    const own = {} as Window;
    own.runs = new ContinuedRuns({
      runs: {
        runs: () => runs,
        onDidChange: listener => ((own.listChanged = listener as () => void), { dispose() {} }),
        onDidEnd: listener => ((own.ended = listener), { dispose() {} }),
      },
      files: { add: (file, listener) => (expect(file).toBe(path), (own.saved = listener), () => {}) },
      hash: async () => content,
      isTrusted: () => trusted,
      isDirty: () => dirty,
      start: async runFile => void add((runFile as { name: string }).name, runFile),
      log: () => {},
      onFault: (_, error) => faults.push(error),
    });
    windows.push(own);
  }

  it('starts one run from the last adapter after an edit, and no more', async () => {
    const first = add('pirate');
    first.tell('a', 'finished');
    await expectRuns('pirate');
    edit('b');
    await expectRuns('pirate v2', 'pirate');
    expect(runs[0]!.config).toMatchObject({
      name: 'pirate v2',
      dataset: { train: path, on_change: 'continue' },
      method: { peft_type: 'LORA', init_from: join(first.folder, 'adapter') },
    });
    // The adapter's own config applies; other options would have no effect.
    expect(runs[0]!.config).not.toHaveProperty('method.r');
    runs[0]!.tell('b', 'finished');
    edit('b');
    await expectRuns('pirate v2', 'pirate');
    edit('a');
    await expectRuns('pirate v2', 'pirate');
    edit('c');
    await expectRuns('pirate v3', 'pirate v2', 'pirate');
    expect(runs[0]!.config).toHaveProperty('method.init_from', join(runs[1]!.folder, 'adapter'));
  });

  it('debounces saves, and waits for unsaved edits', async () => {
    add('pirate').tell('a', 'finished');
    dirty = true;
    for (const each of ['b', 'c', 'd']) edit(each);
    await expectRuns('pirate');
    dirty = false;
    await expectRuns('pirate v2', 'pirate');
  });

  it('waits for the end of a running run', async () => {
    const first = add('pirate');
    edit('b');
    await expectRuns('pirate');
    first.tell('a', 'finished');
    await expectRuns('pirate v2', 'pirate');
  });

  it('does not repeat a failed run on the same content, and continues from the last adapter on the next', async () => {
    const first = add('pirate');
    first.tell('a', 'finished');
    edit('broken');
    await expectRuns('pirate v2', 'pirate');
    runs[0]!.tell(null, null);
    edit('broken');
    await expectRuns('pirate v2', 'pirate');
    edit('mended');
    await expectRuns('pirate v3', 'pirate v2', 'pirate');
    expect(runs[0]!.config).toHaveProperty('method.init_from', join(first.folder, 'adapter'));
  });

  it('starts a single run when two windows see the edit', async () => {
    const first = add('pirate');
    openWindow();
    first.tell('a', 'finished');
    edit('b');
    await expectRuns('pirate v2', 'pirate');
    expect(readdirSync(first.folder).filter(name => name.startsWith('continued-'))).toHaveLength(1);
  });

  it('does nothing in Restricted Mode, after a stop, for a deleted file, or without on_change', async () => {
    const first = add('pirate');
    first.tell('a', 'finished');
    trusted = false;
    edit('b');
    await expectRuns('pirate');
    trusted = true;
    edit('b', 'deleted');
    await expectRuns('pirate');
    first.tell('a', 'stopped');
    edit('c');
    await expectRuns('pirate');
    add('marked', { dataset: { train: path } }).tell('a', 'finished');
    edit('d');
    await expectRuns('marked', 'pirate');
  });

  it('uses a complete model as the base of the next run', async () => {
    const first = add('all', { model: 'embedded:tiny', method: { peft_type: 'FULL' } });
    writeFileSync(join(first.folder, 'adapter', 'config.json'), '{}');
    first.tell('a', 'finished');
    edit('b');
    await expectRuns('all v2', 'all');
    expect(runs[0]!.config).toMatchObject({
      model: join(first.folder, 'adapter'),
      method: { peft_type: 'FULL', init_from: null },
    });
  });
});
