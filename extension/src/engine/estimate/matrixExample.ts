// Low-rank factors of one matrix in figures: W [out, in] compared with A [r, in] and B [out, r], or two such pairs. Called by
// `estimate`.
import { lowRankParameters } from '../../core/metrics/lowRankParameters.js';
import { InputError } from '../../core/inputError.js';
import type { Architecture } from '../models/architecture.js';

export interface MatrixExample {
  /** Module that the matrix belongs to; null if only sizes were given. */
  module: string | null;
  outFeatures: number;
  inFeatures: number;
  rank: number;
  /** Two if the products of two pairs are multiplied elementwise. */
  pairs: 1 | 2;
  parameters: number;
  aParameters: number;
  bParameters: number;
  trainedParameters: number;
  /** Share of the matrix's parameters that aren't trained; below 0 if the rank is too high. */
  reduction: number;
}

type Factors = Pick<MatrixExample, 'rank' | 'pairs'>;

function matrixExample(
  module: string | null,
  { outFeatures, inFeatures }: Pick<MatrixExample, 'outFeatures' | 'inFeatures'>,
  { rank, pairs }: Factors,
): MatrixExample {
  const { w, a, b, trained, saved } = lowRankParameters({ outFeatures, inFeatures }, rank, pairs);
  const counts = { parameters: w, aParameters: a, bParameters: b, trainedParameters: trained, reduction: saved };
  return { module, outFeatures, inFeatures, rank, pairs, ...counts };
}

/**
 * The example for sizes such as `512x64`, or for a module by its full name or the end of it.
 * @throws InputError if `matrix` is neither
 */
export function matrixExampleOf(matrix: string, factors: Factors, architecture: Architecture): MatrixExample {
  const sizes = /^(\d+)\s*[x×]\s*(\d+)$/.exec(matrix);
  if (sizes) {
    const [outFeatures, inFeatures] = [Number(sizes[1]), Number(sizes[2])];
    if (outFeatures > 0 && inFeatures > 0) return matrixExample(null, { outFeatures, inFeatures }, factors);
  }
  const name = matrix.replace(/\.weight$/, '');
  const module = architecture.linears.find(linear => linear.name === name || linear.name.endsWith(`.${name}`));
  if (!module) {
    const ends = new Set(architecture.linears.map(linear => linear.name.split('.').at(-1)));
    throw new InputError(`"${matrix}" is neither a matrix of this model nor sizes such as 512x64`, {
      key: '--matrix',
      hint: `Matrices: ${[...ends].join(', ')}; for a certain layer use its full name, as in "${architecture.linears[0]!.name}".`,
    });
  }
  return matrixExample(module.name, module, factors);
}

/** The matrix and its factors as text. @param method title of the method that trains them */
export function drawMatrixExample(example: MatrixExample, method: string): string {
  const { module, outFeatures, inFeatures, rank, pairs, reduction } = example;
  const number = (value: number) => value.toLocaleString('en-US');
  const times = pairs === 2 ? '2 x ' : '';
  const lines = [
    `W  ${outFeatures} x ${inFeatures}`,
    `A  ${times}${rank} x ${inFeatures}`,
    `B  ${times}${outFeatures} x ${rank}`,
  ];
  const update = pairs === 2 ? '((B1 A1) ∘ (B2 A2)) x' : 'B A x';
  const counts = [example.parameters, example.aParameters, example.bParameters].map(number);
  const width = Math.max(...lines.map(line => line.length));
  const countWidth = Math.max(...counts.map(text => text.length));
  const row = (i: number, note: string) =>
    `  ${lines[i]!.padEnd(width)}  = ${counts[i]!.padStart(countWidth)}  ${note}`;
  const saved =
    reduction > 0 ? `${(100 * reduction).toFixed(0)}% fewer` : `no fewer: a rank below ${breakEven(example)} pays off`;
  return [
    `${method} on ${module ?? 'one matrix'} at r = ${rank}: y = W x + (alpha / r) ${update}`,
    row(0, 'frozen'),
    row(1, 'trained'),
    row(2, 'trained'),
    `  A + B  = ${number(example.trainedParameters)} instead of ${number(example.parameters)}: ${saved}`,
  ].join('\n');
}

function breakEven({ parameters, outFeatures, inFeatures, pairs }: MatrixExample): number {
  return Math.ceil(parameters / (pairs * (outFeatures + inFeatures)));
}
