// LoRA on one matrix in figures: W [out, in] compared with A [r, in] and B [out, r]. Called by `estimate`.
import { InputError } from '../../core/inputError.js';
import type { Architecture } from '../models/architecture.js';

export interface MatrixExample {
  /** Module that the matrix belongs to; null if only sizes were given. */
  module: string | null;
  outFeatures: number;
  inFeatures: number;
  rank: number;
  parameters: number;
  aParameters: number;
  bParameters: number;
  loraParameters: number;
  /** Share of the matrix's parameters that aren't trained; below 0 if the rank is too high. */
  reduction: number;
}

export function matrixExample(
  outFeatures: number,
  inFeatures: number,
  rank: number,
  module: string | null = null,
): MatrixExample {
  const parameters = outFeatures * inFeatures;
  const aParameters = rank * inFeatures;
  const bParameters = outFeatures * rank;
  const loraParameters = aParameters + bParameters;
  const reduction = 1 - loraParameters / parameters;
  return { module, outFeatures, inFeatures, rank, parameters, aParameters, bParameters, loraParameters, reduction };
}

/**
 * The example for sizes such as `512x64`, or for a module by its full name or the end of it.
 * @throws InputError if `matrix` is neither
 */
export function matrixExampleOf(matrix: string, rank: number, architecture: Architecture): MatrixExample {
  const sizes = /^(\d+)\s*[x×]\s*(\d+)$/.exec(matrix);
  if (sizes) {
    const [rows, columns] = [Number(sizes[1]), Number(sizes[2])];
    if (rows > 0 && columns > 0) return matrixExample(rows, columns, rank);
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
  return matrixExample(module.outFeatures, module.inFeatures, rank, module.name);
}

/** The matrix and its two factors as text. */
export function drawMatrixExample(example: MatrixExample): string {
  const { module, outFeatures, inFeatures, rank, reduction } = example;
  const number = (value: number) => value.toLocaleString('en-US');
  const lines = [`W  ${outFeatures} x ${inFeatures}`, `A  ${rank} x ${inFeatures}`, `B  ${outFeatures} x ${rank}`];
  const counts = [example.parameters, example.aParameters, example.bParameters].map(number);
  const width = Math.max(...lines.map(line => line.length));
  const countWidth = Math.max(...counts.map(text => text.length));
  const row = (i: number, note: string) =>
    `  ${lines[i]!.padEnd(width)}  = ${counts[i]!.padStart(countWidth)}  ${note}`;
  const saved =
    reduction > 0 ? `${(100 * reduction).toFixed(0)}% fewer` : `no fewer: a rank below ${breakEven(example)} pays off`;
  return [
    `LoRA on ${module ?? 'one matrix'} at r = ${rank}: y = W x + (alpha / r) B A x`,
    row(0, 'frozen'),
    row(1, 'trained'),
    row(2, 'trained'),
    `  A + B  = ${number(example.loraParameters)} instead of ${number(example.parameters)}: ${saved}`,
  ].join('\n');
}

function breakEven({ parameters, outFeatures, inFeatures }: MatrixExample): number {
  return Math.ceil(parameters / (outFeatures + inFeatures));
}
