// Progress on standard error: one bar at a time on a terminal, plain lines elsewhere.
import { Presets, SingleBar } from 'cli-progress';
import type { Reporter } from '../run/reporter.js';

const PHASES: Record<string, string> = {
  download: 'Downloading',
  load: 'Loading',
  tokenize: 'Tokenizing',
};

/** A reporter that draws progress; call `finish` before printing anything else. */
export function progressDisplay(): Reporter & { finish(): void } {
  const terminal = process.stderr.isTTY;
  let bar: SingleBar | null = null;
  let shown = '';
  const finish = () => {
    bar?.stop();
    bar = null;
    shown = '';
  };
  return {
    finish,
    progress: (phase, done, total, message = '') => {
      const title = PHASES[phase] ?? phase;
      if (!terminal) {
        if (shown !== title) console.error(`${title} ${message}`.trimEnd());
        shown = title;
        return;
      }
      if (shown !== title) {
        finish();
        shown = title;
        bar = new SingleBar(
          { format: `${title} {bar} {percentage}% {message}`, clearOnComplete: true, hideCursor: true, barsize: 24 },
          Presets.shades_classic,
        );
        bar.start(total ?? 1, 0, { message });
      }
      if (total !== null) bar?.setTotal(total);
      bar?.update(done, { message });
    },
    warn: (_code, message) => {
      finish();
      console.error(`warning: ${message}`);
    },
  };
}
