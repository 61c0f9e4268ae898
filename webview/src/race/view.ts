// A race: how far it is, charts of what its entries cost and give, the choice under limits, and the table. All of it follows from what
// the race's files say, by core/race, as the report does. Wired up by main.ts.
import { entryFigures, type EntryFigures, type RunFigures } from '../../../extension/src/core/race/raceFigures.js';
import type { RaceEntry } from '../../../extension/src/core/race/expandRace.js';
import { racedRuns, type RacedRuns } from '../../../extension/src/core/race/racedRuns.js';
import { settingsText } from '../../../extension/src/core/race/raceReport.js';
import { describeError } from '../../../extension/src/core/codedError.js';
import { InputError } from '../../../extension/src/core/inputError.js';
import { percent } from '../../../extension/src/core/units.js';
import {
  openRaceFile,
  openRaceRuns,
  steerRace,
  useRaceRun,
  type RaceSnapshot,
  type RaceSteering,
} from '../../../extension/src/protocol/raceMessages.js';
import { ChannelClosedError, type WebviewChannel } from '../../../extension/src/protocol/webviewChannel.js';
import { h, icon, setText } from '../shared/dom.js';
import { ProblemBanner } from '../shared/schemaForm.js';
import { RaceCharts } from './charts.js';
import { ChoiceView, type Limits } from './choice.js';
import { RaceHeader } from './header.js';
import { RaceTableView } from './table.js';

/** State that survives hiding and reloading; the host restores the tab by the two paths. */
export interface KeptRace {
  file: string | null;
  folder: string | null;
  limits: Limits;
}

export class RaceView {
  readonly element: HTMLElement;
  private readonly header = new RaceHeader(
    steering => void this.steer(steering),
    which => this.channel.notify(openRaceFile, which),
  );
  private readonly problem = new ProblemBanner();
  private readonly log = h('pre', { class: 'engine-log', tabindex: 0, 'aria-label': 'End of the log' });
  private readonly logSection = h('section', { class: 'block', 'aria-label': 'Log' }, h('h2', {}, 'Log'), this.log);
  private readonly choice: ChoiceView;
  private readonly charts = new RaceCharts(entry => this.openEntry(entry));
  private readonly table = new RaceTableView({
    onOpen: runs => this.open(runs),
    onUse: entry => this.use(entry),
  });
  private readonly empty = h(
    'p',
    { class: 'muted', hidden: true },
    'Charts and figures appear once the first run has finished.',
  );
  private readonly base = h('p', { class: 'muted' });
  private readonly failures = h('ul', { class: 'failures' });
  private readonly failed = h(
    'section',
    { class: 'block', 'aria-label': 'Failed' },
    h('h2', {}, 'Failed'),
    this.failures,
  );
  private entries: readonly RaceEntry[] = [];
  private figures: readonly EntryFigures[] = [];
  private kept: KeptRace;

  constructor(
    private readonly channel: WebviewChannel,
    kept: KeptRace | undefined,
    private readonly keep: (view: KeptRace) => void,
  ) {
    this.kept = { file: null, folder: null, limits: kept?.limits ?? { memory: '', time: '' } };
    this.choice = new ChoiceView(
      this.kept.limits,
      limits => this.remember({ limits }),
      entry => this.use(entry),
    );
    const table = h('section', { class: 'block', 'aria-label': 'Entries' }, h('h2', {}, 'Entries'), this.table.element);
    this.element = h(
      'div',
      { class: 'race' },
      this.header.element,
      this.problem.element,
      this.logSection,
      this.empty,
      this.choice.element,
      this.base,
      this.charts.element,
      table,
      this.failed,
    );
    this.logSection.hidden = true;
    this.failed.hidden = true;
  }

  show(snapshot: RaceSnapshot): void {
    const { file, folder, log, baseScore } = snapshot;
    this.remember({ file, folder });
    const raced = this.racedRuns(snapshot);
    this.entries = raced?.entries ?? [];
    this.figures = entryFigures(raced?.runs ?? []);
    this.header.show(snapshot, raced, raced ? settingsText(raced.race) : '');
    this.logSection.hidden = log.length === 0;
    setText(this.log, log.join('\n'));
    const hasFigures = this.figures.some(({ finished }) => finished > 0);
    this.empty.hidden = hasFigures || !raced;
    this.choice.show(this.figures);
    this.choice.element.hidden = !hasFigures;
    setText(this.base, baseScore === null ? '' : `Without training, the base scores ${percent(baseScore)}.`);
    this.base.hidden = baseScore === null;
    this.charts.show(this.figures);
    this.table.show(this.figures);
    this.showFailures(raced?.runs.filter(({ status }) => status === 'failed') ?? []);
  }

  showProblem(message: string): void {
    this.problem.show(message);
  }

  /** null after saying what is wrong with the race file. */
  private racedRuns(snapshot: RaceSnapshot): RacedRuns | null {
    const file = snapshot.file ?? `${snapshot.folder}/race.json`;
    try {
      const raced = racedRuns(snapshot, file);
      this.problem.show(null);
      return raced;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.problem.show(describeError(error.record()), {
        label: 'Open Race File',
        run: () => this.channel.notify(openRaceFile, 'race'),
      });
      return null;
    }
  }

  private showFailures(failed: readonly RunFigures[]): void {
    this.failed.hidden = failed.length === 0;
    const texts = failed.map(({ name, seed, failure }) => `${name}, seed ${seed}: ${failure}`);
    if (this.failures.dataset['shown'] === texts.join('\n')) return;
    this.failures.dataset['shown'] = texts.join('\n');
    this.failures.replaceChildren(
      ...failed.map((run, i) =>
        h('li', {}, icon('error'), h('button', { class: 'link', onclick: () => this.open([run]) }, texts[i]!)),
      ),
    );
  }

  private remember(changes: Partial<KeptRace>): void {
    this.kept = { ...this.kept, ...changes };
    this.keep(this.kept);
  }

  private openEntry(name: string): void {
    this.open(this.figures.find(entry => entry.name === name)!.runs);
  }

  private open(runs: readonly RunFigures[]): void {
    const begun = runs.filter(({ status }) => status !== 'waiting');
    const folders = this.entries
      .filter(({ name, seed }) => begun.some(run => run.name === name && run.seed === seed))
      .map(({ folder }) => folder);
    if (folders.length > 0) this.channel.notify(openRaceRuns, folders);
  }

  /** The run panel gets the run file of the entry's first seed. */
  private use(name: string): void {
    const { name: _, ...run } = this.entries.find(entry => entry.name === name)!.run;
    this.channel.notify(useRaceRun, run);
  }

  private async steer(steering: RaceSteering): Promise<void> {
    try {
      await this.channel.request(steerRace, steering);
    } catch (error) {
      if (!(error instanceof ChannelClosedError)) this.showProblem((error as Error).message);
    }
  }
}
