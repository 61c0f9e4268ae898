// Metrics of evaluation as text, for terminals; charts have their own formats.
import type { MetricInfo } from '../../protocol/engineEvent.js';
import { percent } from '../units.js';

/** `token accuracy 25%`; abbreviations stay as they are. */
export function metricText({ title, unit }: MetricInfo, value: number): string {
  const name = title.replace(/^[A-Z](?=[a-z])/, first => first.toLowerCase());
  return `${name} ${unit === 'share' ? percent(value) : value.toFixed(2)}`;
}

export function metricsText(infos: readonly MetricInfo[], metrics: Readonly<Record<string, number>>): string {
  return infos.map(info => metricText(info, metrics[info.name]!)).join('  ');
}
