import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { initialRunState, reduceRun, type RunState } from '../../../../extension/src/core/runs/runState.js';
import { DashboardSession } from '../../../../extension/src/host/webviews/dashboardSession.js';
import type { Run } from '../../../../extension/src/host/services.js';
import {
  actOnRun,
  dashboardChanged,
  fetchSeries,
  listRows,
  openDashboard,
  openRow,
  quarantineRow,
  showRuns,
  steerRun,
  trainWithout,
  useExport,
  type DashboardSnapshot,
} from '../../../../extension/src/protocol/dashboardMessages.js';
import { engineEventSchema, type EngineEvent } from '../../../../extension/src/protocol/engineEvent.js';
import { WebviewChannel } from '../../../../extension/src/protocol/webviewChannel.js';
import { certificate } from '../../../support/certificates.js';
import { ports } from '../../../support/channelPorts.js';

const events = readFileSync(new URL('../../../fixtures/runs/pirate-lora.ndjson', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map(line => engineEventSchema.parse(JSON.parse(line)));

const ROW = {
  ...{ line: 7, hash: 'sha256:7', text: 'a → b', label_tokens: 2 },
  ...{ then: null, before: 3, now: 2, quarantined: false },
};
const RANKED = {
  ...{ run: '/runs/a', file: '/data/a.jsonl', quarantine: '/data/a.jsonl.quarantine', weights: 'adapter' },
  ...{ by: 'suspect', measured: 9, rows: [ROW] },
};

class RecordedRun {
  alive = true;
  config = { dataset: { train: '/data/pirate.jsonl' } };
  sent: string[] = [];
  private listeners = new Set<() => void>();
  private current: RunState = initialRunState;

  constructor(
    readonly folder: string,
    readonly name: string,
  ) {}
  readonly startedMs = Date.parse('2026-01-01T00:00:00Z');
  state = () => this.current;
  glance = () => this.current;
  resumeStep = () => null;
  failure = () => null;
  send = ({ type }: { type: string }) => void this.sent.push(type);
  onDidChange = (listener: () => void) => {
    this.listeners.add(listener);
    return { dispose: () => this.listeners.delete(listener) };
  };
  take(...taken: EngineEvent[]) {
    for (const event of taken) this.current = reduceRun(this.current, event);
    for (const listener of this.listeners) listener();
  }
  get listening() {
    return this.listeners.size;
  }
}

function started(runs: RecordedRun[], folders: string[]) {
  const [hostPort, viewPort] = ports();
  const fail = (fault: string) => {
    throw new Error(fault);
  };
  const resumed: string[] = [];
  const acted: string[] = [];
  /** Folders of runs whose answers to suites were asked for. */
  const asked: (readonly string[])[] = [];
  const session = new DashboardSession({
    channel: new WebviewChannel(hostPort, fail),
    folders,
    runs: {
      runs: () => runs as unknown as Run[],
      get: folder => runs.find(run => run.folder === folder) as unknown as Run,
      onDidChange: (() => ({ dispose: () => {} })) as never,
      resume: async run => void resumed.push(run.folder),
    },
    onFoldersChanged: () => {},
    pricePerHour: () => null,
    methodTitle: peftType => peftType,
    savings: async () => null,
    certificates: run => (run.folder === '/a' ? [certificate('gguf', '/a/exports/a.gguf')] : []),
    useExport: (path, how) => void acted.push(`${how} ${path}`),
    suiteResults: async folders => {
      asked.push(folders);
      return folders.map(folder => ({ file: `${folder}.eval.jsonl`, models: [], comparisons: [] }));
    },
    exportFile: async () => null,
    resultOf: () => null,
    act: (run, action) => void acted.push(`${action} ${run.folder}`),
    rows: {
      rows: async (args, onLine) => {
        acted.push(`rows ${args.join(' ')}`);
        onLine({ ...RANKED });
      },
      quarantine: async args => acted.push(`quarantine ${args.join(' ')}`),
      openPlace: (file, line) => acted.push(`open ${file}:${line}`),
      trainWithout: async run => void acted.push(`train without ${run.folder}`),
    },
  });
  const view = new WebviewChannel(viewPort, fail);
  const snapshots: DashboardSnapshot[] = [];
  view.onNotification(dashboardChanged, snapshot => void snapshots.push(snapshot));
  return { session, view, snapshots, resumed, acted, asked };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('DashboardSession', () => {
  it('sends whole snapshots, at a limited rate, and always the latest', async () => {
    const run = new RecordedRun('/a', 'a');
    const { snapshots } = started([run], ['/a']);
    run.alive = false;
    for (const event of events) run.take(event);
    await vi.advanceTimersByTimeAsync(1000);
    expect(snapshots.length).toBeLessThan(5);
    expect(snapshots.at(-1)!.runs[0]).toMatchObject({
      currentStep: 120,
      numSteps: 120,
      numEvaluations: 7,
      status: 'completed',
    });
  });

  it('sends columns from a row on, and all of them after a change of generation', async () => {
    const run = new RecordedRun('/a', 'a');
    run.take(...events);
    const { view } = started([run], ['/a']);
    const rest = await view.request(fetchSeries, { folder: '/a', generation: 0, fromStep: 118, fromEvaluation: 7 });
    expect([...rest.steps['step']!]).toEqual([119, 120]);
    expect(rest.evaluations['step']).toHaveLength(0);
    const all = await view.request(fetchSeries, { folder: '/a', generation: 5, fromStep: 118, fromEvaluation: 7 });
    expect(all.generation).toBe(0);
    expect(all.steps['loss']).toHaveLength(120);
  });

  it('sends commands to the process, and resumes runs through the service', async () => {
    const run = new RecordedRun('/a', 'a');
    const { view, resumed } = started([run], ['/a']);
    await view.request(steerRun, { folder: '/a', command: 'pause' });
    await view.request(steerRun, { folder: '/a', command: 'resume' });
    expect(run.sent).toEqual(['pause', 'resume']);
    expect(resumed).toEqual([]);
    run.alive = false;
    await view.request(steerRun, { folder: '/a', command: 'resume' });
    expect(run.sent).toEqual(['pause', 'resume']);
    expect(resumed).toEqual(['/a']);
    await expect(view.request(steerRun, { folder: '/none', command: 'stop' })).rejects.toThrow(
      /This run no longer exists/,
    );
  });

  it('passes actions on with their run', async () => {
    const { view, acted } = started([new RecordedRun('/a', 'a')], ['/a']);
    view.notify(actOnRun, { folder: '/a', action: 'merge' });
    await vi.advanceTimersByTimeAsync(10);
    expect(acted).toEqual(['merge /a']);
  });

  it('lists the exports of the first run once it has completed, and uses only those', async () => {
    const run = new RecordedRun('/a', 'a');
    const { session, view, snapshots, acted } = started([run, new RecordedRun('/b', 'b')], ['/a', '/b']);
    expect((await view.request(openDashboard, undefined)).runs[0]!.exports).toEqual([]);
    run.take(...events);
    const failed = { type: 'export_failed' as const, target: 'mlx', code: 'bad_input' as const, message: 'full' };
    run.take({ ...failed, seq: events.length, time: events.at(-1)!.time });
    const { runs } = await view.request(openDashboard, undefined);
    expect(runs[0]!.exports.map(({ path }) => path)).toEqual(['/a/exports/a.gguf']);
    expect(runs[0]!.failedExports).toEqual([{ target: 'mlx', message: 'full', hint: null }]);
    expect(runs[1]!.exports).toEqual([]);
    view.notify(useExport, { folder: '/a', path: '/a/exports/a.gguf', act: 'copy' });
    view.notify(useExport, { folder: '/a', path: '/etc/passwd', act: 'reveal' });
    await vi.advanceTimersByTimeAsync(10);
    expect(acted).toEqual(['copy /a/exports/a.gguf']);
    const before = snapshots.length;
    session.learnExports();
    await vi.advanceTimersByTimeAsync(1000);
    expect(snapshots.length).toBeGreaterThan(before);
  });

  it('lists rows, opens one, puts it into quarantine and trains without it', async () => {
    const { session, view, acted } = started([new RecordedRun('/a', 'a')], ['/a']);
    expect((await view.request(openDashboard, undefined)).rows).toBeNull();
    session.listBy('suspect');
    await vi.advanceTimersByTimeAsync(10);
    const { rows } = await view.request(openDashboard, undefined);
    expect(rows).toMatchObject({ folder: '/a', list: 'suspect', rows: [ROW], progress: null, failure: null });
    view.notify(openRow, { line: 7 });
    await view.request(quarantineRow, { hash: ROW.hash, quarantined: true });
    await view.request(trainWithout, { folder: '/a' });
    expect((await view.request(openDashboard, undefined)).rows!.rows).toEqual([{ ...ROW, quarantined: true }]);
    view.notify(listRows, null);
    await vi.advanceTimersByTimeAsync(10);
    expect((await view.request(openDashboard, undefined)).rows).toBeNull();
    expect(acted).toEqual([
      'rows /a --by suspect --top 50',
      'open /data/a.jsonl:7',
      `quarantine /a --add ${ROW.hash}`,
      'train without /a',
    ]);
  });

  it('tells runs of one name apart by time and options', async () => {
    const runs = [new RecordedRun('/a', 'pirate'), new RecordedRun('/b', 'pirate'), new RecordedRun('/c', 'haiku')];
    runs.forEach((run, i) => (run.config = { ...run.config, method: { r: [8, 16, 8][i] } } as typeof run.config));
    const { view } = started(runs, ['/a']);
    const { runs: shown, others } = await view.request(openDashboard, undefined);
    expect(shown[0]).toMatchObject({ name: 'pirate', label: expect.stringMatching(/^pirate \(.*, r 8\)$/) });
    expect(others.map(({ label }) => label)).toEqual([expect.stringMatching(/^pirate \(.*, r 16\)$/), 'haiku']);
  });

  it('shows other runs on demand, and removes its listeners when disposed', async () => {
    const runs = [new RecordedRun('/a', 'a'), new RecordedRun('/b', 'b')];
    const { session, view } = started(runs, ['/a']);
    expect((await view.request(openDashboard, undefined)).others).toEqual([{ folder: '/b', label: 'b' }]);
    await view.request(showRuns, ['/a', '/b', '/b']);
    expect((await view.request(openDashboard, undefined)).runs.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(runs.map(run => run.listening)).toEqual([1, 1]);
    session.dispose();
    expect(runs.map(run => run.listening)).toEqual([0, 0]);
  });

  it('has what its runs answered to suites, asked again when it is opened, its runs change or a suite was answered', async () => {
    const runs = [new RecordedRun('/runs/a', 'a'), new RecordedRun('/runs/b', 'b')];
    const { session, view, snapshots, asked } = started(runs, ['/runs/a']);
    const files = () => snapshots.at(-1)?.suites.map(({ file }) => file);
    await view.request(openDashboard, undefined);
    await vi.runAllTimersAsync();
    expect(files()).toEqual(['/runs/a.eval.jsonl']);
    session.show(['/runs/a', '/runs/b']);
    await vi.runAllTimersAsync();
    expect(files()).toEqual(['/runs/a.eval.jsonl', '/runs/b.eval.jsonl']);
    await session.learnSuites();
    expect(asked).toEqual([['/runs/a'], ['/runs/a', '/runs/b'], ['/runs/a', '/runs/b']]);
    session.dispose();
  });
});
