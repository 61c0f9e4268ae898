// Measures what the engine reaches on a device, in a few minutes: ten steps against known losses, matrix products, LoRA steps on two
// published shapes, decoding. Called by `engine bench`; random weights, so nothing is downloaded.
import * as tf from '@tensorflow/tfjs-core';
import { CodedError } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import type { BenchAnswer, BenchRow } from '../../protocol/benchAnswer.js';
import type { Backend } from '../backend/backend.js';
import { capacityFor, Batch } from '../generation/batch.js';
import { stacked } from '../generation/cacheTensor.js';
import { pooledForm, poolShape } from '../generation/loraPool.js';
import { StepGraphs } from '../generation/stepGraphs.js';
import { EagerReader } from '../generation/tokenReader.js';
import { rssBytes } from '../machine/processMemory.js';
import type { CausalLm } from '../models/causalLm.js';
import type { UsedWeights } from '../../protocol/engineConfig.js';
import { gpuBytes } from '../webgpu/tfjsWebgpu.js';
import { LoraTraining } from './loraTraining.js';
import { finished, modelLike, type ShapeName } from './shapedModel.js';
import { tenSteps, TOLERANCE } from './tenSteps.js';

export interface BenchOptions {
  backend: Backend;
  /** The embedded model, for the comparison of losses. */
  embedded: CausalLm;
  /** Rows to measure; all if left out. */
  only?: readonly string[];
  onRow(row: BenchRow): void;
  signal?: AbortSignal;
}

/** Time for the repetitions of a row, after two that compile and warm up. */
const MEASURE_MS = 8000;

const FLOAT32: UsedWeights = { base_weights: 'float32', precision: 'float32' };
const INT4: UsedWeights = { base_weights: 'int4', precision: 'float32' };
const INT8: UsedWeights = { base_weights: 'int8', precision: 'float32' };

interface Measurement {
  id: string;
  measure(): Promise<Pick<BenchRow, 'value' | 'unit' | 'seconds'>>;
}

const MEASUREMENTS: readonly Measurement[] = [
  product('product 4096 x 4096 x 4096', 4096, 4096, 4096),
  product('product 1024 x 576 x 1536', 1024, 576, 1536),
  training('LoRA, SmolLM2-135M, 4 x 256', 'SmolLM2-135M', FLOAT32, 4, 256),
  training('LoRA, SmolLM2-135M, 1 x 1024', 'SmolLM2-135M', FLOAT32, 1, 1024),
  training('LoRA, SmolLM2-1.7B in int4, 1 x 1024', 'SmolLM2-1.7B', INT4, 1, 1024),
  decoding('decoding, SmolLM2-135M', 'SmolLM2-135M', FLOAT32),
  decoding('decoding, SmolLM2-135M in int8', 'SmolLM2-135M', INT8),
];

export const BENCH_ROWS: readonly string[] = MEASUREMENTS.map(({ id }) => id);

/** @throws CodedError if the device computes other losses than it should; InputError if no row is chosen */
export async function benchEngine({ backend, embedded, only, onRow, signal }: BenchOptions): Promise<BenchAnswer> {
  const chosen = MEASUREMENTS.filter(({ id }) => !only || only.some(part => id.includes(part)));
  if (chosen.length === 0)
    throw new InputError('no row has this in its name', { key: '--only', hint: `There are: ${BENCH_ROWS.join('; ')}` });
  const { difference } = await tenSteps(embedded);
  if (!(difference <= TOLERANCE))
    throw new CodedError(
      'diverged',
      `ten steps on ${backend.device} have losses that differ by ${difference.toExponential(1)} from the known ones`,
      { hint: 'Update the driver, or use engine.backend "tensorflow".' },
    );
  const rows: BenchRow[] = [];
  for (const { id, measure } of chosen) {
    signal?.throwIfAborted();
    const before = tf.memory().numTensors;
    let row: BenchRow;
    try {
      row = { id, ...(await measure()), bytes: deviceBytes(), problem: null };
    } catch (error) {
      // A row that the device has no room for doesn't end the others, as long as the device can go on.
      if (!(error instanceof CodedError) || error.code === 'device_lost') throw error;
      row = { id, value: null, unit: '', seconds: 0, bytes: deviceBytes(), problem: error.message };
    }
    if (tf.memory().numTensors > before && row.problem === null) throw new Error(`${id}: tensors leaked`);
    rows.push(row);
    onRow(row);
  }
  const { name, libraryVersion, device } = backend;
  return {
    backend: name,
    library: libraryVersion,
    device,
    date: new Date().toISOString().slice(0, 10),
    difference,
    rows,
  };
}

/** Allocated on the device; of the process where that isn't known. */
function deviceBytes(): number {
  return gpuBytes() ?? rssBytes();
}

/** The median time of a repetition. Of one that takes long, a second is all that there is time for. */
async function secondsOf(repeat: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await repeat();
  if (performance.now() - began < MEASURE_MS) await repeat();
  const times: number[] = [];
  for (const end = performance.now() + MEASURE_MS; performance.now() < end && times.length < 50;) {
    const began = performance.now();
    await repeat();
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b)[times.length >> 1]! / 1000;
}

function product(id: string, rows: number, inner: number, columns: number): Measurement {
  /** As many as make the wait for the result count little. */
  const times = 8;
  return {
    id,
    async measure() {
      const x = tf.fill([rows, inner], 0.5) as tf.Tensor2D;
      const weight = tf.fill([columns, inner], 0.5) as tf.Tensor2D;
      const seconds = await secondsOf(async () => {
        for (let i = 1; i < times; i++) tf.matMul(x, weight, false, true).dispose();
        const last = tf.matMul(x, weight, false, true);
        await finished(last);
        last.dispose();
      });
      tf.dispose([x, weight]);
      return { value: (times * 2 * rows * inner * columns) / seconds / 1e9, unit: 'GFLOP/s', seconds: seconds / times };
    },
  };
}

function training(id: string, shape: ShapeName, settings: UsedWeights, batchSize: number, tokens: number): Measurement {
  return {
    id,
    async measure() {
      const model = modelLike(shape, settings);
      const lora = new LoraTraining(model, { batchSize, tokens });
      try {
        const seconds = await secondsOf(() => lora.step());
        return { value: (batchSize * tokens) / seconds, unit: 'tokens/s', seconds };
      } finally {
        lora.dispose();
        model.dispose();
      }
    },
  };
}

function decoding(id: string, shape: ShapeName, settings: UsedWeights): Measurement {
  const prompt = Array.from({ length: 64 }, (_, i) => 100 + i);
  return {
    id,
    async measure() {
      const model = modelLike(shape, settings);
      const eager = new EagerReader(model, {});
      const graphs = new StepGraphs(model);
      tf.dispose({ ...eager.read(prompt) });
      const batch = new Batch<EagerPlace>(graphs, { rows: 1, capacity: capacityFor(prompt.length, 256) });
      const place = { length: prompt.length };
      const own = stacked(eager.cache);
      batch.join(place, own);
      tf.dispose(own);
      eager.dispose();
      const form = pooledForm(poolShape([]), model.architecture);
      try {
        const seconds = await secondsOf(async () => {
          const prediction = await batch.step(form, [7], []);
          place.length++;
          await prediction.likeliest.data();
          tf.dispose({ ...prediction });
        });
        return { value: 1 / seconds, unit: 'tokens/s', seconds };
      } finally {
        batch.dispose();
        graphs.dispose();
        model.dispose();
      }
    },
  };
}

interface EagerPlace {
  length: number;
}
