// Progress on standard error: one bar at a time on a terminal, plain lines elsewhere. Or as JSON on standard output, for programs
// that show it themselves.
import type { Reporter } from '../run/reporter.js';
import { printJson, printNote, progressBar, type ProgressBar } from './print.js';

const PHASES: Record<string, string> = {
  download: 'Downloading',
  load: 'Loading',
  tokenize: 'Tokenizing',
  evaluate: 'Evaluating',
  combine: 'Combining',
  answer: 'Answering',
  write: 'Writing',
  compare: 'Comparing',
  install: 'Installing',
  wait: 'Waiting for',
  upload: 'Uploading',
};

/** A reporter that draws progress; call `finish` before printing anything else. */
export function progressDisplay(): Reporter & { finish(): void } {
  const terminal = process.stderr.isTTY;
  let bar: ProgressBar | null = null;
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
        if (shown !== title) printNote(`${title} ${message}`.trimEnd());
        shown = title;
        return;
      }
      if (shown !== title) {
        finish();
        shown = title;
        bar = progressBar(`${title} {bar} {percentage}% {message}`, { clearOnComplete: true, barsize: 24 });
        bar.start(total ?? 1, 0, { message });
      }
      if (total !== null) bar?.setTotal(total);
      bar?.update(done, { message });
    },
    warn: (_code, message) => {
      finish();
      printNote(`warning: ${message}`);
    },
  };
}

/** Prints progress, at most once per percent, and warnings: a JSON object each, told from the result by its `type`. */
export function progressLines(): Reporter & { finish(): void } {
  let last = '';
  return {
    finish: () => {},
    progress: (phase, done, total) => {
      const key = `${phase} ${total ? Math.floor((100 * done) / total) : 0}`;
      if (key !== last) printJson({ type: 'progress', phase, done, total });
      last = key;
    },
    warn: (code, message) => printJson({ type: 'warning', code, message }),
  };
}
