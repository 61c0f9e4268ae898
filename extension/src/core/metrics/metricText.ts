// Metrics of evaluation as text, for terminals; charts have their own formats.
import type { MetricInfo } from '../../protocol/engineEvent.js';
import { percent } from '../units.js';

/** `token accuracy 25.0%` */
export function metricText({ title, unit }: MetricInfo, value: number): string {
  return `${title.toLowerCase()} ${unit === 'share' ? percent(value) : value.toFixed(2)}`;
}

export function metricsText(infos: readonly MetricInfo[], metrics: Readonly<Record<string, number>>): string {
  return infos.map(info => metricText(info, metrics[info.name]!)).join('  ');
}
