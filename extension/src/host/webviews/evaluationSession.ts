// The host's side of one evaluation on a dataset: runs the engine, and tells the page how far it is and what came of it. Its tab is
// in evaluation.ts. Imports no vscode, so that tests can run it.
import { datasetReportSchema, type DatasetReport } from '../../protocol/answers.js';
import {
  cancelEvaluation,
  evaluateAgain,
  evaluationChanged,
  openEvaluated,
  openEvaluation,
  type EvaluationResult,
  type EvaluationSnapshot,
  type EvaluationState,
} from '../../protocol/evaluationMessages.js';
import type { WebviewChannel } from '../../protocol/webviewChannel.js';
import { failureOf, shareOf, type EngineLine } from './engineLines.js';
import { LatestWins } from './latestWins.js';

export interface EvaluationSessionOptions {
  channel: WebviewChannel;
  /** Without a state the engine is run at once. */
  shown: Omit<EvaluationSnapshot, 'state'> & { state: EvaluationState | null };
  /** Runs the engine to its end; `cancelled` is aborted to end it early. Throws as `EngineService.json`. */
  evaluate(onLine: (line: EngineLine) => void, cancelled: AbortSignal): Promise<void>;
  openPlace(file: string, line: number | null): void;
}

const PROGRESS_INTERVAL_MS = 100;

export class EvaluationSession {
  /** What the page shows. */
  state: EvaluationState;
  private running: AbortController | null = null;
  private readonly changes = new LatestWins(
    () => this.options.channel.notify(evaluationChanged, this.snapshot()),
    PROGRESS_INTERVAL_MS,
  );

  constructor(private readonly options: EvaluationSessionOptions) {
    const { channel, shown } = options;
    this.state = shown.state ?? { kind: 'cancelled' };
    channel.onRequest(openEvaluation, () => this.snapshot());
    channel.onNotification(evaluateAgain, () => void this.evaluate());
    channel.onNotification(cancelEvaluation, () => this.running?.abort());
    channel.onNotification(openEvaluated, ({ file, line }) => options.openPlace(file, line));
    if (shown.state === null) void this.evaluate();
  }

  dispose(): void {
    this.running?.abort();
    this.changes.dispose();
    this.options.channel.dispose();
  }

  private snapshot(): EvaluationSnapshot {
    return { ...this.options.shown, state: this.state };
  }

  private async evaluate(): Promise<void> {
    if (this.running) return;
    const running = (this.running = new AbortController());
    const warnings: string[] = [];
    let report: DatasetReport | null = null;
    this.show({ kind: 'running', phase: null, share: null });
    try {
      await this.options.evaluate(line => {
        if (line.type === 'warning') warnings.push(line.message);
        else if (line.type === 'progress') this.show({ kind: 'running', phase: line.phase, share: shareOf(line) });
        else report = datasetReportSchema.parse(line);
      }, running.signal);
      if (report === null) throw new Error('The engine ended without a result.');
      this.show({ kind: 'completed', result: resultOf(report, warnings) });
    } catch (error) {
      this.show(
        running.signal.aborted ? { kind: 'cancelled' } : { kind: 'failed', failure: failureOf(error as Error) },
      );
    } finally {
      this.running = null;
    }
  }

  private show(state: EvaluationState): void {
    this.state = state;
    this.changes.request();
  }
}

/** The page shows the answers to the worst rows only. */
function resultOf({ worst, answers, ...scores }: DatasetReport, warnings: string[]): EvaluationResult {
  const byRow = new Map(answers.map(answer => [answer.row, answer]));
  return {
    scores,
    answered: answers.length,
    exact: answers.filter(({ metrics }) => metrics['exact_match'] === 1).length,
    worst: worst.map(row => ({ ...row, answer: byRow.get(row.row) ?? null })),
    warnings,
    time: new Date().toISOString(),
  };
}
