// The host's side of one open race tab: sends what the race's files say whenever that has changed, and passes on what the user does.
// Its panel is in raceTabs.ts. Imports no vscode, so that tests can run it.
import { join } from 'node:path';
import {
  openRace,
  openRaceFile,
  openRaceRuns,
  raceChanged,
  steerRace,
  useRaceRun,
  type RaceSnapshot,
  type RaceSteering,
} from '../../protocol/raceMessages.js';
import type { Draft } from '../../protocol/runPanelMessages.js';
import type { WebviewChannel } from '../../protocol/webviewChannel.js';
import { raceFolderFiles, RaceReader, type RaceSource } from './raceReader.js';

export interface RaceSessionOptions {
  channel: WebviewChannel;
  source: RaceSource;
  /** Nothing is read for a hidden tab, whose page is gone. */
  isVisible(): boolean;
  isTrusted(): boolean;
  /** Starts, continues or stops the race. Returns the race folder. */
  steer(source: RaceSource, steering: RaceSteering): Promise<string>;
  onFolder(folder: string): void;
  openRuns(folders: readonly string[]): void;
  useRun(draft: Draft): void;
  openFile(path: string): void;
}

/** A race goes on in processes of its own, and in other windows: its files are all that says so. */
const LOOK_MS = 700;

export class RaceSession {
  private readonly reader = new RaceReader();
  private readonly timer: NodeJS.Timeout;
  private source: RaceSource;
  private sent = '';
  private looking = false;

  constructor(private readonly options: RaceSessionOptions) {
    const { channel } = options;
    this.source = options.source;
    channel.onRequest(openRace, async () => {
      const snapshot = await this.read();
      this.sent = JSON.stringify(snapshot);
      return snapshot;
    });
    channel.onRequest(steerRace, async steering => {
      const folder = await options.steer(this.source, steering);
      if (folder !== this.source.folder) options.onFolder(folder);
      this.source = { ...this.source, folder };
      await this.look();
    });
    channel.onNotification(openRaceRuns, names => options.openRuns(names.map(name => this.inFolder(name))));
    channel.onNotification(useRaceRun, draft => options.useRun(draft));
    channel.onNotification(openRaceFile, which => {
      const { file, folder } = this.source;
      const files = folder === null ? null : raceFolderFiles(folder);
      const path = which === 'race' ? (file ?? files?.race) : files?.[which];
      if (path !== undefined) options.openFile(path);
    });
    this.timer = setInterval(() => void this.look(), LOOK_MS);
  }

  dispose(): void {
    clearInterval(this.timer);
    this.options.channel.dispose();
  }

  private read(): Promise<RaceSnapshot> {
    return this.reader.read(this.source, this.options.isTrusted());
  }

  private inFolder(name: string): string {
    if (this.source.folder === null || !/^runs\/[^/\\]+$/.test(name))
      throw new Error(`${name} is no run of this race.`);
    return join(this.source.folder, name);
  }

  private async look(): Promise<void> {
    if (this.looking || !this.options.isVisible()) return;
    this.looking = true;
    try {
      const snapshot = await this.read();
      const text = JSON.stringify(snapshot);
      if (text === this.sent) return;
      this.sent = text;
      this.options.channel.notify(raceChanged, snapshot);
    } finally {
      this.looking = false;
    }
  }
}
