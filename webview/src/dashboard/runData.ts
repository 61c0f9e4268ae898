// The columns of the runs on screen, fetched from the host as they grow. Fetches only what is missing, and everything
// again where the host withdrew rows.
import type { MetricInfo } from '../../../extension/src/protocol/engineEvent.js';
import { throughput } from '../../../extension/src/core/metrics/throughput.js';
import { fetchSeries, type RunSnapshot, type Series } from '../../../extension/src/protocol/dashboardMessages.js';
import { ChannelClosedError, type WebviewChannel } from '../../../extension/src/protocol/webviewChannel.js';

type Columns = Readonly<Record<string, Float64Array>>;

export interface RunColumns {
  generation: number;
  steps: Columns;
  evaluations: Columns;
}

const NONE: RunColumns = { generation: -1, steps: {}, evaluations: {} };

export class RunData {
  private readonly columns = new Map<string, RunColumns>();
  private readonly fetching = new Set<string>();
  private wanted: readonly RunSnapshot[] = [];

  constructor(
    private readonly channel: WebviewChannel,
    private readonly onChange: () => void,
  ) {}

  of(folder: string): RunColumns {
    return this.columns.get(folder) ?? NONE;
  }

  /** Fetches until the columns have the lengths that the snapshots announce. */
  follow(runs: readonly RunSnapshot[]): void {
    this.wanted = runs;
    for (const folder of this.columns.keys()) if (!runs.some(run => run.folder === folder)) this.columns.delete(folder);
    for (const run of runs) void this.fetch(run.folder);
  }

  private async fetch(folder: string): Promise<void> {
    if (this.fetching.has(folder)) return;
    this.fetching.add(folder);
    try {
      while (this.isBehind(folder)) {
        const known = this.of(folder);
        const fromStep = lengthOf(known.steps);
        const fromEvaluation = lengthOf(known.evaluations);
        const { generation } = known;
        const answer = await this.channel.request(fetchSeries, { folder, generation, fromStep, fromEvaluation });
        const base = answer.generation === generation ? known : NONE;
        this.columns.set(folder, appended(base, answer));
        this.onChange();
        // Fewer rows than announced: the next snapshot fetches again.
        if (lengthOf(answer.steps) + lengthOf(answer.evaluations) === 0) break;
      }
    } catch (error) {
      // The run was deleted: the next snapshot shows that.
      if (!(error instanceof ChannelClosedError)) console.error((error as Error).message);
    } finally {
      this.fetching.delete(folder);
    }
  }

  private isBehind(folder: string): boolean {
    const run = this.wanted.find(each => each.folder === folder);
    if (!run) return false;
    const { generation, steps, evaluations } = this.of(folder);
    return (
      run.generation !== generation || lengthOf(steps) < run.numSteps || lengthOf(evaluations) < run.numEvaluations
    );
  }
}

export function column(columns: Columns, key: string): Float64Array {
  return columns[key] ?? new Float64Array(0);
}

/** Metrics that say something beside the loss; first those in its unit, such as forgetting. */
export function metricsBesideLoss(metrics: readonly MetricInfo[]): MetricInfo[] {
  const own = metrics.filter(metric => !metric.follows_loss);
  return own.toSorted((a, b) => Number(a.unit === 'share') - Number(b.unit === 'share'));
}

/** Tokens per second as of each step. */
export function throughputOf({ steps }: RunColumns): Float64Array {
  return throughput({
    tokensPerSecond: column(steps, 'tokens_per_second'),
    stepMs: column(steps, 'step_ms'),
    compiled: column(steps, 'compiled'),
  });
}

function lengthOf(columns: Columns): number {
  return columns['step']?.length ?? 0;
}

function appended(base: RunColumns, { generation, steps, evaluations }: Series): RunColumns {
  return { generation, steps: joined(base.steps, steps), evaluations: joined(base.evaluations, evaluations) };
}

function joined(before: Columns, after: Columns): Columns {
  return Object.fromEntries(
    Object.entries(after).map(([key, values]) => {
      const known = before[key] ?? new Float64Array(0);
      const all = new Float64Array(known.length + values.length);
      all.set(known);
      all.set(values, known.length);
      return [key, all];
    }),
  );
}
