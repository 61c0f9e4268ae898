// A figure of evaluation as people read it. For terminals; charts have formats of their own.
import type { MetricInfo } from '../../protocol/engineEvent.js';
import { percent } from '../units.js';

/** `token accuracy 25.0%` */
export function metricText({ title, unit }: MetricInfo, value: number): string {
  return `${title.toLowerCase()} ${unit === 'share' ? percent(value) : value.toFixed(2)}`;
}

/** All of them in a row. */
export function metricsText(infos: readonly MetricInfo[], metrics: Readonly<Record<string, number>>): string {
  return infos.map(info => metricText(info, metrics[info.name]!)).join('  ');
}
