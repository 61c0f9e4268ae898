// A certificate as a table and a sentence, for the command line and for dashboards.
import type { Certificate, Comparison, Verdict } from '../../protocol/certificate.js';
import { counted, figure } from '../units.js';

const TITLES: Readonly<Record<Comparison['what'], string>> = {
  layers: 'Layers',
  tensors: 'Tensors',
  'chat template': 'Chat template',
  'stop tokens': 'Stop tokens',
  'token ids': 'Token ids',
  kl: 'KL divergence',
  'greedy answers': 'Greedy answers',
};

/** From the best to the worst. */
const ORDER: readonly Verdict[] = ['same', 'within', 'not compared', 'differs'];

/** The worst of the comparisons. */
export function overallVerdict(comparisons: readonly Pick<Comparison, 'verdict'>[]): Verdict {
  const ranks = comparisons.map(({ verdict }) => ORDER.indexOf(verdict));
  return ORDER[Math.max(0, ...ranks)]!;
}

/** Rows of a table, the first of which is the heading. */
export function certificateTable({ comparisons }: Pick<Certificate, 'comparisons'>): string[][] {
  return [
    ['What', 'Compared', 'With', 'Difference', 'At most', 'Verdict'],
    ...comparisons.map(comparison => [
      TITLES[comparison.what],
      comparison.compared === 0 ? '' : counted(comparison.compared, comparison.unit),
      comparison.with,
      differenceOf(comparison),
      boundOf(comparison),
      comparison.verdict,
    ]),
  ];
}

/** Why each bound is what it is, and why something wasn't compared, without repetitions. */
export function certificateReasons({ comparisons }: Pick<Certificate, 'comparisons'>): string[] {
  const reasons = comparisons.filter(({ why }) => why !== '').map(({ what, why }) => `${TITLES[what]}: ${why}`);
  return [...new Set(reasons)];
}

/** The result in a sentence. */
export function verdictText({ verdict, reader }: Pick<Certificate, 'verdict' | 'reader'>): string {
  const by = `read again by ${reader.name} ${reader.version}`;
  switch (verdict) {
    case 'same':
      return `Certified: ${by}, it doesn't differ from what it was made from.`;
    case 'within':
      return `Certified: ${by}, it differs from what it was made from by no more than its type must.`;
    case 'not compared':
      return `Written: ${by}; not everything was compared.`;
    case 'differs':
      return `Not certified: ${by}, it differs from what it was made from.`;
  }
}

function differenceOf({ what, difference }: Comparison): string {
  if (difference === null) return '';
  if (what === 'kl') return `${figure(difference)} nats per token`;
  return difference === 0 ? 'none' : counted(difference, 'difference');
}

function boundOf({ what, bound }: Comparison): string {
  if (bound === null) return '';
  return what === 'kl' ? figure(bound) : bound === 0 ? 'none' : String(bound);
}
