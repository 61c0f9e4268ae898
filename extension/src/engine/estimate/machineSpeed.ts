// The speed of this machine: matrix products and memory, measured once on the TensorFlow backend and stored in the
// cache folder. Called by `estimate`, which derives a step's time from its work and these rates.
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import * as z from 'zod';
import { readJsonObject } from '../files/jsonFile.js';
import { makeFolder } from '../../system/makeFolder.js';
import { openBackend } from '../backend/openBackend.js';
import { writeFileAtomically } from '../files/atomicFile.js';
import { WeightBlocks } from '../files/weightBlocks.js';
import { BFLOAT16_FEATURES, cpuFeatures, cpuKind } from '../machine/machine.js';
import { linear } from '../models/ops.js';
import { QuantizedWeight } from '../models/quantizedWeight.js';
import { cacheFolder } from '../install/paths.js';
import type { Estimate } from './estimateRun.js';

const speedSchema = z.object({
  machine: z.string(),
  flopsPerSecond: z.number().positive(),
  bytesPerSecond: z.number().positive(),
  /** For products with frozen weights in bfloat16; null if the CPU has no instructions for them. */
  bfloat16FlopsPerSecond: z.number().positive().nullable(),
});

export type MachineSpeed = z.infer<typeof speedSchema>;

/** Elements in the elementwise operation. */
const WIDE = 2 ** 24;

/** Time for each measurement. */
const MEASURE_MS = 150;

/** Identifies what the rates apply to; virtual machines with the same model name differ in their CPU's features. */
export function ratedMachine(threads: number | null): string {
  return `${cpuKind()}, ${threads ?? availableParallelism()} threads`;
}

const speedFile = () => join(cacheFolder(), 'machine-speed.json');

/** The rates measured earlier on this machine; null if there are none. */
export function knownSpeed(threads: number | null): MachineSpeed | null {
  const known = readSpeed(speedFile());
  return known?.machine === ratedMachine(threads) ? known : null;
}

/** The same, or measured now, which loads TensorFlow (about a second in total). */
export async function machineSpeed(threads: number | null): Promise<MachineSpeed> {
  const known = knownSpeed(threads);
  if (known) return known;
  await openBackend({ backend: 'tensorflow', threads, onWarning: () => {} });
  const speed = { machine: ratedMachine(threads), ...measure() };
  const file = speedFile();
  makeFolder(dirname(file));
  const text = Buffer.from(`${JSON.stringify(speed, null, 2)}\n`);
  writeFileAtomically(file, append => append(text));
  return speed;
}

function readSpeed(file: string): MachineSpeed | null {
  try {
    return speedSchema.parse(readJsonObject(file));
  } catch {
    return null;
  }
}

/**
 * Measures a product as in a small model's feed-forward network, and an elementwise operation larger than the CPU's
 * caches.
 */
function measure(): Omit<MachineSpeed, 'machine'> {
  const [rows, inner, columns] = [1024, 576, 1536];
  const x = tf.fill([rows, inner], 0.5) as tf.Tensor2D;
  const weight = tf.fill([columns, inner], 0.5);
  const wide = tf.fill([WIDE], 0.5);
  const flops = 2 * rows * inner * columns;
  const hasBfloat16 = cpuFeatures().some(feature => BFLOAT16_FEATURES.includes(feature));
  const speed = {
    flopsPerSecond: flops / secondsOf(() => tf.matMul(x, weight, false, true)),
    bfloat16FlopsPerSecond: hasBfloat16 ? flops / secondsOfBfloat16(x, [columns, inner]) : null,
    bytesPerSecond: (4 * WIDE) / secondsOf(() => tf.mul(wide, wide)),
  };
  tf.dispose([x, weight, wide]);
  return speed;
}

function secondsOfBfloat16(x: tf.Tensor2D, shape: [number, number]): number {
  const blocks = new WeightBlocks('bfloat16', shape);
  blocks.quantizeRows(0, new Float32Array(shape[0] * shape[1]).fill(0.5));
  const layout = { format: 'bfloat16', shape, precision: 'bfloat16', transposed: false } as const;
  const weight = QuantizedWeight.of(blocks, layout);
  const seconds = secondsOf(() => linear(x, weight));
  weight.dispose();
  return seconds;
}

/** Minimum speed-up of a product in bfloat16 that is worth its rounding. */
const MIN_BFLOAT16_GAIN = 1.15;

/** Whether products in bfloat16 are clearly faster on this machine. */
export function bfloat16Pays({ flopsPerSecond, bfloat16FlopsPerSecond }: MachineSpeed): boolean {
  return bfloat16FlopsPerSecond !== null && bfloat16FlopsPerSecond > MIN_BFLOAT16_GAIN * flopsPerSecond;
}

/** Median time of one call. */
function secondsOf(f: () => tf.Tensor): number {
  const times: number[] = [];
  f().dispose();
  for (const end = performance.now() + MEASURE_MS; performance.now() < end;) {
    const began = performance.now();
    f().dispose();
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b)[times.length >> 1]! / 1000;
}

/**
 * A step's time relative to its work at the machine's full rates: smaller products, scheduling and, in eager steps, one
 * op at a time into new memory. Measured over steps of 0.15 to 2.1 s (SmolLM2-135M's shape, a small GPT-2, the embedded
 * model).
 */
const OVERHEAD = { captured: 1.15, eager: 2 };

/** Seconds per step: its products, then its other operations. */
export function secondsPerStep(
  { flopsPerStep, bytesPerStep }: Pick<Estimate, 'flopsPerStep' | 'bytesPerStep'>,
  { flopsPerSecond, bytesPerSecond }: MachineSpeed,
  captured: boolean,
): number {
  const overhead = captured ? OVERHEAD.captured : OVERHEAD.eager;
  return overhead * (flopsPerStep / flopsPerSecond + bytesPerStep / bytesPerSecond);
}
