// The host's side of one page of exports: which targets there are and what each would take, the export itself, and what came of it. Its
// tab is in exportTabs.ts. Imports no vscode, so that tests can run it.
import { commandOfExport, type Shell } from '../../core/exports/llamaCppCommand.js';
import { exportedSchema, type ExportPlans, type ExportTargetFacts } from '../../protocol/exportAnswers.js';
import {
  cancelExport,
  changeExportPlace,
  chooseExport,
  exportChanged,
  openExport,
  openExportPlace,
  startExport,
  useExported,
  type ExportCard,
  type ExportChoice,
  type ExportSnapshot,
  type ExportState,
} from '../../protocol/exportMessages.js';
import type { WebviewChannel } from '../../protocol/webviewChannel.js';
import { failureOf, failureOfRecord, shareOf, type EngineLine } from '../webviews/engineLines.js';
import { LatestWins } from '../webviews/latestWins.js';

export interface ExportSessionOptions {
  channel: WebviewChannel;
  /** Cards and choice are asked for; a state other than 'choosing' is from before the window was reloaded. */
  shown: Pick<ExportSnapshot, 'subject' | 'choice' | 'state'>;
  /** What the engine can export to. */
  targets(): Promise<ExportTargetFacts[]>;
  /** What exports would take; without a choice, to all targets. `cancelled` is aborted once the answer isn't needed. */
  plan(choice: ChosenExport | null, cancelled: AbortSignal): Promise<ExportPlans['plans']>;
  /** Where it is written, after asking if something is there already; null: the user doesn't want it. */
  place(path: string, card: ExportCard): Promise<{ out: string | null; force: boolean } | null>;
  /** Asks for another place. */
  pickPlace(path: string, card: ExportCard): Promise<string | null>;
  /** Runs the engine to its end. */
  run(
    choice: ChosenExport,
    place: { out: string | null; force: boolean },
    onLine: (line: EngineLine) => void,
    cancelled: AbortSignal,
  ): Promise<void>;
  remember(choice: ExportChoice): void;
  /** For which commands are quoted. */
  shell: Shell;
  /** Shows a path in the file explorer, or copies a text. */
  use(act: 'reveal' | 'copy', text: string): void;
  openPlace(file: string, line: number | null): void;
}

/** A choice with the word of the command line. */
export interface ChosenExport extends ExportChoice {
  to: string;
}

const PROGRESS_INTERVAL_MS = 100;

export class ExportSession {
  private cards: ExportCard[] = [];
  private choice: ExportChoice | null;
  private out: string | null = null;
  /** What the page shows. */
  state: ExportState;
  private running: AbortController | null = null;
  private planning: AbortController | null = null;
  private readonly changes = new LatestWins(
    () => this.options.channel.notify(exportChanged, this.snapshot()),
    PROGRESS_INTERVAL_MS,
  );
  /** Ends when all targets have been planned. */
  readonly ready: Promise<void>;

  constructor(private readonly options: ExportSessionOptions) {
    const { channel, shown } = options;
    this.choice = shown.choice;
    this.state = shown.state;
    channel.onRequest(openExport, () => this.snapshot());
    channel.onNotification(chooseExport, choice => void this.choose(choice));
    channel.onNotification(changeExportPlace, () => void this.changePlace());
    channel.onNotification(startExport, () => void this.start());
    channel.onNotification(cancelExport, () => this.running?.abort());
    channel.onNotification(useExported, ({ act }) => {
      if (this.state.kind !== 'completed') return;
      const { exported } = this.state;
      if (act !== 'copy_command') return void (exported.path && options.use(act, exported.path));
      const command = commandOfExport(exported, { program: 'llama-cli', shell: options.shell });
      if (command !== null) options.use('copy', command);
    });
    channel.onNotification(openExportPlace, ({ file, line }) => options.openPlace(file, line));
    this.ready = this.open();
  }

  dispose(): void {
    this.running?.abort();
    this.planning?.abort();
    this.changes.dispose();
    this.options.channel.dispose();
  }

  /** Exports what is chosen. */
  async start(): Promise<void> {
    const { choice, card } = this.chosen() ?? {};
    if (this.running || !choice || !card) return;
    const running = (this.running = new AbortController());
    const warnings: string[] = [];
    try {
      const path = this.out ?? card.plan?.path ?? null;
      const place = path === null ? { out: null, force: false } : await this.options.place(path, card);
      if (!place) return;
      this.options.remember({ target: choice.target, options: choice.options });
      this.show({ kind: 'running', phase: null, share: null });
      let answer: EngineLine | null = null;
      const onLine = (line: EngineLine) => {
        if (line.type === 'warning') warnings.push(line.message);
        else if (line.type === 'progress') this.show({ kind: 'running', phase: line.phase, share: shareOf(line) });
        else answer = line;
      };
      await this.options.run(choice, place, onLine, running.signal);
      const exported = exportedSchema.parse(answer);
      this.show({ kind: 'completed', title: card.title, exported, warnings, time: new Date().toISOString() });
    } catch (error) {
      const isCancelled = running.signal.aborted;
      this.show(isCancelled ? { kind: 'cancelled' } : { kind: 'failed', failure: failureOf(error as Error) });
    } finally {
      this.running = null;
    }
  }

  private snapshot(): ExportSnapshot {
    const { cards, choice, out, state, planning } = this;
    return { subject: this.options.shown.subject, cards, choice, out, state, planning: planning !== null };
  }

  private async open(): Promise<void> {
    try {
      const targets = await this.options.targets();
      this.cards = targets.map(facts => ({ ...facts, plan: null, refused: null }));
      const remembered = this.chosen()?.choice ?? null;
      await this.planned(null);
      const hasOptions = remembered !== null && Object.keys(remembered.options).length > 0;
      if (hasOptions && this.choice?.target === remembered.target) await this.planned(remembered);
      const possible = this.cards.find(({ refused }) => refused === null);
      if (this.chosen()?.card.refused !== null && possible) this.choice = { target: possible.target, options: {} };
    } catch (error) {
      // What was shown before a reload stays.
      if (this.state.kind === 'choosing') this.state = { kind: 'failed', failure: failureOf(error as Error) };
    }
    this.changes.request();
  }

  private async choose(choice: ExportChoice): Promise<void> {
    const isOther = choice.target !== this.choice?.target;
    this.choice = choice;
    if (isOther) this.out = null;
    if (this.state.kind !== 'running') this.state = { kind: 'choosing' };
    this.changes.request();
    const chosen = this.chosen();
    if (chosen)
      await this.planned(chosen.choice).catch(error => this.show({ kind: 'failed', failure: failureOf(error) }));
  }

  /** Asks what an export would take, or each of them. A later question takes the place of an earlier one about the same. */
  private async planned(choice: ChosenExport | null): Promise<void> {
    this.planning?.abort();
    const planning = (this.planning = new AbortController());
    this.changes.request();
    try {
      const plans = await this.options.plan(choice, planning.signal);
      if (planning.signal.aborted) return;
      for (const { target, plan, refused } of plans) {
        const card = this.cards.find(each => each.target === target);
        if (card) Object.assign(card, { plan, refused: refused && failureOfRecord(refused) });
      }
    } catch (error) {
      if (!planning.signal.aborted) throw error;
    } finally {
      if (this.planning === planning) this.planning = null;
      this.changes.request();
    }
  }

  private async changePlace(): Promise<void> {
    const { card } = this.chosen() ?? {};
    const path = this.out ?? card?.plan?.path;
    if (!card || !path) return;
    this.out = (await this.options.pickPlace(path, card)) ?? this.out;
    this.changes.request();
  }

  private chosen(): { choice: ChosenExport; card: ExportCard } | null {
    const card = this.cards.find(({ target }) => target === this.choice?.target);
    return card ? { choice: { ...this.choice!, to: card.to }, card } : null;
  }

  private show(state: ExportState): void {
    this.state = state;
    this.changes.request();
  }
}
