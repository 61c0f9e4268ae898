// What the server counts, as text for Prometheus: `GET /metrics`. Named after vLLM's metrics.
import type { GenerationAnswer } from '../../protocol/sessionMessages.js';

/** Upper bounds in seconds. */
const FIRST_TOKEN_BOUNDS = [0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Values that are read when the text is made. */
export interface Gauges {
  running: number;
  waiting: number;
  adapters: number;
  rssBytes: number;
  cacheBytes: number;
}

export class Metrics {
  /** By route and status. */
  private readonly requests = new Map<string, number>();
  private readonly finished = new Map<string, number>();
  private readonly tokens = { prompt: 0, cached: 0, generation: 0 };
  private readonly firstTokens = FIRST_TOKEN_BOUNDS.map(() => 0);
  private firstTokenSeconds = 0;
  private answers = 0;

  countRequest(route: string, status: number): void {
    increase(this.requests, `route="${route}",status="${status}"`);
  }

  countAnswer({ usage, finish_reason: reason, first_token_ms: firstMs }: GenerationAnswer): void {
    increase(this.finished, `finished_reason="${reason}"`);
    this.tokens.prompt += usage.prompt_tokens;
    this.tokens.cached += usage.cached_tokens;
    this.tokens.generation += usage.completion_tokens;
    this.answers++;
    this.firstTokenSeconds += firstMs / 1000;
    FIRST_TOKEN_BOUNDS.forEach((bound, i) => {
      if (firstMs / 1000 <= bound) this.firstTokens[i]!++;
    });
  }

  text(gauges: Gauges): string {
    const firstToken = [
      ...FIRST_TOKEN_BOUNDS.map((bound, i) => [`_bucket{le="${bound}"}`, this.firstTokens[i]!] as const),
      ['_bucket{le="+Inf"}', this.answers] as const,
      ['_sum', this.firstTokenSeconds] as const,
      ['_count', this.answers] as const,
    ];
    return [
      metric('requests_running', 'gauge', 'Answers that are being decoded.', [['', gauges.running]]),
      metric('requests_waiting', 'gauge', 'Answers that wait for a slot.', [['', gauges.waiting]]),
      metric('adapters', 'gauge', 'Adapters that are loaded.', [['', gauges.adapters]]),
      metric('resident_memory_bytes', 'gauge', 'Memory of the process.', [['', gauges.rssBytes]]),
      metric('cache_bytes', 'gauge', 'Keys and values that are kept.', [['', gauges.cacheBytes]]),
      metric('http_requests_total', 'counter', 'Requests by route and status.', labelled(this.requests)),
      metric('answers_total', 'counter', 'Answers by the reason of their end.', labelled(this.finished)),
      metric('prompt_tokens_total', 'counter', 'Tokens of prompts.', [['', this.tokens.prompt]]),
      metric('cached_tokens_total', 'counter', 'Of these, tokens that were kept.', [['', this.tokens.cached]]),
      metric('generation_tokens_total', 'counter', 'Tokens of answers.', [['', this.tokens.generation]]),
      metric('time_to_first_token_seconds', 'histogram', 'Time to the first token, without waiting.', firstToken),
    ].join('');
  }
}

function increase(counts: Map<string, number>, labels: string): void {
  counts.set(labels, (counts.get(labels) ?? 0) + 1);
}

function labelled(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].map(([labels, count]) => [`{${labels}}`, count]);
}

function metric(name: string, type: string, help: string, values: readonly (readonly [string, number])[]): string {
  const full = `tunewright_${name}`;
  const lines = values.map(([suffix, value]) => `${full}${suffix} ${value}\n`);
  return `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n${lines.join('')}`;
}
