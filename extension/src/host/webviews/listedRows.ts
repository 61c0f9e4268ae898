// The list of rows in a dashboard: asks the engine which rows a step had and what their losses are, or measures all rows of a run.
// Imports no vscode, so that tests can run it.
import type { ListedRows, RowsRequest } from '../../protocol/dashboardMessages.js';
import { rankedRowsSchema, stepRowsSchema } from '../../protocol/rowLosses.js';
import { shareOf, type EngineLine } from './engineLines.js';

/** What the list asks of the engine's command line. */
export interface RowsEngine {
  /** Runs `rows` with these arguments to its end; `cancelled` is aborted to end it early. */
  rows(args: readonly string[], onLine: (line: EngineLine) => void, cancelled: AbortSignal): Promise<void>;
  /** Runs `quarantine` with these arguments to its end. */
  quarantine(args: readonly string[]): Promise<unknown>;
}

export class RowsList {
  /** What the page shows; null: nothing. */
  shown: ListedRows | null = null;
  private running: AbortController | null = null;

  constructor(
    private readonly engine: RowsEngine,
    private readonly onChange: () => void,
  ) {}

  /** Lists other rows, or none; the work on those before ends. */
  list(request: RowsRequest | null): void {
    this.running?.abort();
    this.running = null;
    this.shown = request && { ...request, rows: null, file: null, progress: null, failure: null, cancelled: false };
    this.onChange();
    if (request) void this.run(request, (this.running = new AbortController()));
  }

  /** Ends the work; what is known stays. */
  cancel(): void {
    this.running?.abort();
  }

  /** @throws as `EngineService.json` */
  async quarantine(hash: string, quarantined: boolean): Promise<void> {
    const { shown } = this;
    if (!shown) return;
    await this.engine.quarantine([shown.folder, quarantined ? '--add' : '--remove', hash]);
    if (this.shown?.folder !== shown.folder) return;
    const rows = this.shown.rows?.map(row => (row.hash === hash ? { ...row, quarantined } : row)) ?? null;
    this.shown = { ...this.shown, rows };
    this.onChange();
  }

  private async run({ folder, list }: RowsRequest, running: AbortController): Promise<void> {
    const change = (changes: Partial<ListedRows>) => {
      if (this.running !== running || !this.shown) return;
      this.shown = { ...this.shown, ...changes };
      this.onChange();
    };
    const ask = async (...args: string[]) => {
      change({ progress: { phase: 'start', share: null } });
      await this.engine.rows(
        [folder, ...args],
        line => {
          if (line.type === 'progress') change({ progress: { phase: line.phase, share: shareOf(line) } });
          else if (line.type === undefined) {
            const { rows, file } = 'step' in line ? stepRowsSchema.parse(line) : rankedRowsSchema.parse(line);
            change({ rows, file });
          }
        },
        running.signal,
      );
    };
    try {
      if (typeof list === 'string') await ask('--by', list, '--top', '50');
      else {
        const step = ['--step', String(list.step)];
        // Which rows is known sooner than their losses.
        await ask(...step);
        if (this.shown?.rows?.some(({ now }) => now === null)) await ask(...step, '--losses');
      }
    } catch (error) {
      change(running.signal.aborted ? { cancelled: true } : { failure: (error as Error).message });
    } finally {
      change({ progress: null });
    }
  }
}
