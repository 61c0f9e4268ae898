// Records a page as the frames that the browser sends whenever it draws, with their durations. For the README's
// recording (extension/scripts/screenshots.mjs turns them into an animation).
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';

/** Upper limit of a frame's duration, however busy the machine. */
const LONGEST_FRAME_SECONDS = 0.4;
/** Duration of the last frame. */
const LAST_FRAME_SECONDS = 6;

export interface Recording {
  /** Ends it and writes `frames.txt`, a list for ffmpeg's concat demuxer. */
  stop(): Promise<void>;
}

export async function record(page: Page, folder: string): Promise<Recording> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const browser = await page.context().newCDPSession(page);
  const times: number[] = [];
  const name = (i: number) => `${String(i).padStart(5, '0')}.png`;
  browser.on('Page.screencastFrame', ({ data, metadata, sessionId }) => {
    writeFileSync(join(folder, name(times.length)), Buffer.from(data, 'base64'));
    times.push(metadata.timestamp ?? Date.now() / 1000);
    void browser.send('Page.screencastFrameAck', { sessionId });
  });
  await browser.send('Page.startScreencast', { format: 'png' });
  return {
    stop: async () => {
      await browser.send('Page.stopScreencast');
      const seconds = (i: number) =>
        i + 1 < times.length ? Math.min(times[i + 1]! - times[i]!, LONGEST_FRAME_SECONDS) : LAST_FRAME_SECONDS;
      const lines = times.flatMap((_, i) => [`file '${name(i)}'`, `duration ${seconds(i).toFixed(3)}`]);
      writeFileSync(join(folder, 'frames.txt'), [...lines, `file '${name(times.length - 1)}'`, ''].join('\n'));
    },
  };
}
