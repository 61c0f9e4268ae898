// The comparison of two models in words, for the command line, the Test Explorer and dashboards.
import type { ModelComparison } from '../../protocol/answers.js';
import { counted } from '../units.js';

/** `tuned against base: 12 wins, 3 losses, 25 ties (p = 0.035); score +0.075 to +0.375 at 95%: tuned scores higher` */
export function comparisonText(comparison: ModelComparison): string {
  const { a, b, wins, losses, ties, p_value: p, interval } = comparison;
  const counts = `${counted(wins, 'win')}, ${losses} loss${losses === 1 ? '' : 'es'}, ${counted(ties, 'tie')}`;
  const [low, high] = interval.map(bound => `${bound < 0 ? '' : '+'}${bound.toFixed(3)}`);
  const verdict = showsNoDifference(comparison) ? 'no difference shown' : `${interval[0] > 0 ? a : b} scores higher`;
  return `${a} against ${b}: ${counts} (p = ${p.toPrecision(2)}); score ${low} to ${high} at 95%: ${verdict}`;
}

/** Whether the interval leaves open which of the two is better. */
export function showsNoDifference({ interval: [low, high] }: Pick<ModelComparison, 'interval'>): boolean {
  return low <= 0 && high >= 0;
}
