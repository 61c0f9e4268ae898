// Which way round a product with very many columns is fast on this machine. Called by models/ops.ts; follows from the
// machine alone, never from a measurement, so that a resumed run computes in the same order and gets the same bits.
import * as tf from '@tensorflow/tfjs-core';
import { cpuFeatures } from '../install/machine.js';
import { hasTensorflowOps } from './tensorflowOps.js';

/** Columns from which on turning pays for transposing the result. */
const WIDE = 8192;

let turns: boolean | null = null;

/**
 * Whether x Wᵀ of a few hundred rows is made as (W xᵀ)ᵀ. Without AVX-512 TensorFlow's oneDNN runs the first form at a third
 * of its speed where W has as many rows as a vocabulary (extension/docs/decisions/0026).
 */
export function turnsProduct(columns: number): boolean {
  if (columns < WIDE || !hasTensorflowOps()) return false;
  turns ??= process.arch === 'x64' && !cpuFeatures().includes('AVX512F');
  return turns && !(tf.backend() as unknown as { isUsingGpuDevice: boolean }).isUsingGpuDevice;
}
