// The head of a race's tab: its name, status, progress and actions.
import type { RacedRuns } from '../../../extension/src/core/race/racedRuns.js';
import { roughDuration } from '../../../extension/src/core/runs/runStatus.js';
import { counted } from '../../../extension/src/core/units.js';
import type { RaceSnapshot, RaceSteering } from '../../../extension/src/protocol/raceMessages.js';
import { h, icon, setText } from '../shared/dom.js';
import { ProgressBar } from '../shared/progressBar.js';
import { button } from '../shared/toolkit.js';

type Status = 'not started' | 'checking' | 'running' | 'interrupted' | 'finished';

const STATUS_ICONS: Record<Status, string> = {
  'not started': 'circle-large-outline',
  checking: 'loading codicon-modifier-spin',
  running: 'sync codicon-modifier-spin',
  interrupted: 'debug-disconnect',
  finished: 'pass',
};

/** When each is offered. */
const OFFERS: Record<RaceSteering, { label: string; icon: string; in: readonly Status[] }> = {
  start: { label: 'Start Race', icon: 'play', in: ['not started'] },
  resume: { label: 'Resume Race', icon: 'debug-continue', in: ['interrupted'] },
  stop: { label: 'Stop Race', icon: 'debug-stop', in: ['checking', 'running'] },
};

export class RaceHeader {
  readonly element: HTMLElement;
  private readonly name = h('h1');
  private readonly status = h('span', { class: 'status', role: 'status' });
  private readonly about = h('p', { class: 'muted' });
  private readonly progress = new ProgressBar('Runs');
  private readonly progressText = h('p', { class: 'muted number' });
  private readonly untrusted = h('p', { class: 'muted' }, 'In Restricted Mode, no race is started or stopped.');
  private readonly offers: Record<RaceSteering, HTMLElement>;
  private readonly report: HTMLElement;
  private readonly log: HTMLElement;

  constructor(onSteer: (steering: RaceSteering) => void, onOpen: (which: 'race' | 'report' | 'log') => void) {
    const offer = (steering: RaceSteering) =>
      button({ ...OFFERS[steering], secondary: steering === 'stop', onClick: () => onSteer(steering) });
    this.offers = { start: offer('start'), resume: offer('resume'), stop: offer('stop') };
    const tool = (label: string, glyph: string, which: 'race' | 'report' | 'log') =>
      button({ label, icon: glyph, iconOnly: true, onClick: () => onOpen(which) });
    this.report = tool('Open Report', 'markdown', 'report');
    this.log = tool('Open Race Log', 'output', 'log');
    this.element = h(
      'header',
      { class: 'head' },
      h(
        'div',
        { class: 'title' },
        this.name,
        this.status,
        h(
          'div',
          { class: 'toolbar', role: 'toolbar', 'aria-label': 'Race' },
          tool('Open Race File', 'json', 'race'),
          this.report,
          this.log,
        ),
      ),
      this.about,
      this.progress.element,
      this.progressText,
      this.untrusted,
      h('div', { class: 'actions' }, ...Object.values(this.offers)),
    );
  }

  /** @param raced null if the race file can't be read */
  show(snapshot: RaceSnapshot, raced: RacedRuns | null, about: string): void {
    const status = statusOf(snapshot, raced);
    setText(this.name, raced?.race.name ?? 'Race');
    if (this.status.dataset['status'] !== status) {
      this.status.dataset['status'] = status;
      this.status.replaceChildren(
        icon(STATUS_ICONS[status]),
        ` ${status === 'checking' ? 'checking all runs' : status}`,
      );
    }
    setText(this.about, about);
    for (const [steering, element] of Object.entries(this.offers))
      element.hidden = !snapshot.trusted || !raced || !OFFERS[steering as RaceSteering].in.includes(status);
    this.untrusted.hidden = snapshot.trusted;
    this.report.hidden = !snapshot.hasReport;
    this.log.hidden = snapshot.folder === null;
    this.showProgress(snapshot, raced);
  }

  private showProgress({ progress }: RaceSnapshot, raced: RacedRuns | null): void {
    const runs = raced?.runs ?? [];
    const over = runs.filter(({ status }) => status === 'finished' || status === 'failed').length;
    const part = progress.reduce((sum, { step, totalSteps }) => sum + (totalSteps > 0 ? step / totalSteps : 0), 0);
    const share = runs.length === 0 ? 0 : (over + part) / runs.length;
    const left = progress.flatMap(({ secondsLeft }) => secondsLeft ?? []);
    const parts = [
      `${over} of ${counted(runs.length, 'run')} done`,
      ...progress.map(each => runProgress(each, raced)),
      left.length > 0 &&
        `${roughDuration(Math.max(...left))} left in ${progress.length === 1 ? 'this run' : 'these runs'}`,
    ];
    setText(this.progressText, runs.length === 0 ? '' : parts.filter(Boolean).join(' · '));
    this.progress.hidden = runs.length === 0;
    this.progress.showShare(share);
  }
}

function statusOf({ alive, folder, race }: RaceSnapshot, raced: RacedRuns | null): Status {
  if (alive) return raced?.runs.some(({ status }) => status !== 'waiting') ? 'running' : 'checking';
  if (folder === null || !race) return 'not started';
  const isOver = raced?.runs.every(({ status }) => status === 'finished' || status === 'failed') ?? false;
  return isOver ? 'finished' : 'interrupted';
}

function runProgress({ folder, step, totalSteps }: RaceSnapshot['progress'][number], raced: RacedRuns | null) {
  const at = raced?.entries.find(entry => entry.folder === folder);
  return at && `${at.name}, seed ${at.seed}: ${totalSteps === 0 ? 'starting' : `step ${step} of ${totalSteps}`}`;
}
