// Metrics of evaluation as text, for terminals, trees and figures; charts have their own ticks.
import type { MetricInfo } from '../../protocol/engineEvent.js';
import { percent } from '../units.js';

/** `token accuracy`, within a sentence; abbreviations stay as they are. */
export function metricName({ title }: Pick<MetricInfo, 'title'>): string {
  return title.replace(/^[A-Z](?=[a-z])/, first => first.toLowerCase());
}

/** `25.3%` or `0.931` */
export function metricValue({ unit }: Pick<MetricInfo, 'unit'>, value: number): string {
  return unit === 'share' ? `${(100 * value).toFixed(1)}%` : value.toFixed(3);
}

/** `token accuracy 25%` */
export function metricText(metric: MetricInfo, value: number): string {
  return `${metricName(metric)} ${metric.unit === 'share' ? percent(value) : value.toFixed(2)}`;
}

export function metricsText(infos: readonly MetricInfo[], metrics: Readonly<Record<string, number>>): string {
  return infos.map(info => metricText(info, metrics[info.name]!)).join('  ');
}
