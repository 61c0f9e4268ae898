// Fills in what run folders of version 0 lack: they had one objective, whose metrics were fields of the event. Called by
// runState.ts only, so that everything after the reducer knows one form.
import type { EngineEvent, MetricInfo } from '../../protocol/engineEvent.js';

const METRICS: readonly MetricInfo[] = [
  { name: 'perplexity', title: 'Perplexity', better: 'lower', unit: 'number', follows_loss: true },
  { name: 'token_accuracy', title: 'Token accuracy', better: 'higher', unit: 'share', follows_loss: false },
];

export function metricInfos({ version, metrics }: Extract<EngineEvent, { type: 'started' }>): readonly MetricInfo[] {
  return version === 0 ? METRICS : metrics;
}

export function metricsOf(event: Extract<EngineEvent, { type: 'evaluated' }>): Record<string, number> {
  const { perplexity, token_accuracy, metrics } = event;
  return perplexity === undefined || token_accuracy === undefined ? metrics : { perplexity, token_accuracy };
}
