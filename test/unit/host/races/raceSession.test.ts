// A race's tab sends what has changed, only while it is visible, and passes on what the user does.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RaceSession, type RaceSessionOptions } from '../../../../extension/src/host/races/raceSession.js';
import {
  openRace,
  openRaceFile,
  openRaceRuns,
  raceChanged,
  steerRace,
  useRaceRun,
  type RaceSnapshot,
} from '../../../../extension/src/protocol/raceMessages.js';
import { WebviewChannel } from '../../../../extension/src/protocol/webviewChannel.js';
import { ports } from '../../../support/channelPorts.js';

let folder: string;
let file: string;
let visible: boolean;
let page: WebviewChannel;
let changed: RaceSnapshot[];
let done: unknown[];
let session: RaceSession;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunewright-race-'));
  file = join(folder, 'a.race.json');
  writeFileSync(file, JSON.stringify({ name: 'a', run: {}, vary: [] }));
  [visible, changed, done] = [true, [], []];
});
afterEach(() => {
  session.dispose();
  rmSync(folder, { recursive: true, force: true });
});

function open(changes: Partial<RaceSessionOptions> = {}): void {
  const [host, webview] = ports();
  page = new WebviewChannel(webview, fault => done.push({ fault }));
  page.onNotification(raceChanged, snapshot => void changed.push(snapshot));
  session = new RaceSession({
    channel: new WebviewChannel(host, fault => done.push({ fault })),
    source: { file, folder: null },
    isVisible: () => visible,
    isTrusted: () => true,
    steer: async (source, steering) => {
      done.push({ source, steering });
      return join(folder, 'races/a');
    },
    onFolder: now => done.push({ folder: now }),
    openRuns: folders => done.push({ runs: folders }),
    useRun: draft => done.push({ draft }),
    openFile: path => done.push({ path }),
    ...changes,
  });
}

describe('a tab', () => {
  it('gets what the files say, and again only when that has changed', async () => {
    open();
    expect((await page.request(openRace, undefined)).race).toEqual({ name: 'a', run: {}, vary: [] });
    writeFileSync(file, JSON.stringify({ name: 'b', run: {}, vary: [] }));
    await vi.waitFor(() => expect(changed.map(({ race }) => race!['name'])).toEqual(['b']), 5000);
    visible = false;
    writeFileSync(file, JSON.stringify({ name: 'c', run: {}, vary: [] }));
    await new Promise(resolve => setTimeout(resolve, 1500));
    expect(changed).toHaveLength(1);
    visible = true;
    await vi.waitFor(() => expect(changed.at(-1)!.race!['name']).toBe('c'), 5000);
    expect(changed).toHaveLength(2);
  });

  it('goes on with the folder of the race that was started', async () => {
    open();
    await page.request(openRace, undefined);
    await page.request(steerRace, 'start');
    await page.request(steerRace, 'stop');
    const home = join(folder, 'races/a');
    expect(done).toEqual([
      { source: { file, folder: null }, steering: 'start' },
      { folder: home },
      { source: { file, folder: home }, steering: 'stop' },
    ]);
    await vi.waitFor(() => expect(changed.at(-1)?.folder).toBe(home), 5000);
  });

  it('tells the page why a race was not started', async () => {
    open({
      steer: async () => {
        throw new Error('no space left');
      },
    });
    await expect(page.request(steerRace, 'start')).rejects.toThrow('no space left');
  });

  it('opens runs of the race and no other folder, its files, and the run panel', async () => {
    const home = join(folder, 'races/a');
    mkdirSync(home, { recursive: true });
    open({ source: { file: null, folder: home } });
    page.notify(openRaceRuns, ['runs/x-seed1', 'runs/x-seed2']);
    page.notify(openRaceRuns, ['runs/../../secret']);
    page.notify(useRaceRun, { model: 'm' });
    for (const which of ['race', 'report', 'log'] as const) page.notify(openRaceFile, which);
    await vi.waitFor(() => expect(done.length).toBeGreaterThanOrEqual(6));
    expect(done).toEqual([
      { runs: [join(home, 'runs/x-seed1'), join(home, 'runs/x-seed2')] },
      { fault: expect.stringContaining('is no run of this race') },
      { draft: { model: 'm' } },
      { path: join(home, 'race.json') },
      { path: join(home, 'report.md') },
      { path: join(home, 'engine.log') },
    ]);
  });
});
