// The parity tests of one backend: parity.test.ts and parityWasm.test.ts call this with a backend and its tolerances,
// in separate processes. Each failure names model, case, step and figure.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBackend } from '../../extension/src/engine/backend/openBackend.js';
import { openHuggingFaceFolder } from '../../extension/src/engine/files/huggingfaceFolder.js';
import type { ModelFiles } from '../../extension/src/engine/files/tensorSource.js';
import type { CausalLm } from '../../extension/src/engine/models/causalLm.js';
import { loadModel } from '../../extension/src/engine/models/loadModel.js';
import { writeModelFolder } from '../../extension/src/engine/models/writeModelFolder.js';
import type { Adapter } from '../../extension/src/engine/peft/adapter.js';
import { loadAdapter, openAdapter, saveAdapter } from '../../extension/src/engine/peft/adapterFiles.js';
import { asRows, attachForTraining, logitsOf, openParityModel, openStart, trainCase } from './engineRun.js';
import { casesOf, padded, parityModels, probe, readTensors, type ParityCase } from './fixtures.js';

export interface Tolerances {
  /** Largest absolute difference. */
  logits: number;
  /** Relative, of each step. */
  loss: number;
  gradNorm: number;
  /** Mean absolute difference of a tensor, relative to its mean absolute size. */
  tensors: number;
}

/** Learning rates are computed in double precision on both sides. */
const RATE_TOLERANCE = 1e-12;

/** @param only the cases of each model that are tested, by name; all if left out */
export function describeParity(
  backend: 'tensorflow' | 'webgpu' | 'wasm',
  tolerances: Tolerances,
  only?: (model: string, name: string) => boolean,
): void {
  // peft_loads_ours.py passes its own folder and reads the saved files there.
  let output = process.env.PARITY_OUT ?? '';
  const worst: Tolerances = { logits: 0, loss: 0, gradNorm: 0, tensors: 0 };
  const check = (kind: keyof Tolerances, difference: number, where: string) => {
    if (!(difference <= worst[kind])) worst[kind] = difference;
    const message = `${where}: ${kind} differ by ${difference.toExponential(2)}, more than ${tolerances[kind]}`;
    expect(difference <= tolerances[kind], message).toBe(true);
  };

  describe(`parity with PyTorch + PEFT on ${backend}`, () => {
    beforeAll(async () => {
      await openBackend({ backend, threads: null, onWarning: () => {} });
      if (!process.env.PARITY_OUT) output = mkdtempSync(join(tmpdir(), 'parity-'));
    });
    afterAll(() => {
      if (!process.env.PARITY_OUT) rmSync(output, { recursive: true });
      const figures = Object.entries(worst).map(([kind, value]) => `${kind} ${value.toExponential(1)}`);
      console.log(`parity on ${backend}, largest differences: ${figures.join(', ')}`);
    });

    describe.each(parityModels)('%s', modelName => {
      let files: ModelFiles;
      let model: CausalLm;
      beforeAll(() => {
        ({ files, model } = openParityModel(modelName));
      });
      afterAll(() => {
        files.close();
        model.dispose();
      });

      it('base logits: padded, alone and packed', async () => {
        const expected = readTensors(modelName, 'base.safetensors');
        const checkLogits = async (sequences: number[][], theirs: Float32Array, what: string) =>
          check('logits', largest(await logitsOf(model, sequences), theirs), `${modelName}, ${what}`);
        await checkLogits(asRows(padded), expected.get('padded')!, 'padded batch');
        for (const row of padded) await checkLogits([[row]], expected.get(`alone.${row}`)!, `row ${row} alone`);
        const alone = padded.flatMap(row => [...expected.get(`alone.${row}`)!]);
        await checkLogits(packedUnevenly(padded), Float32Array.from(alone), 'packed');
      });

      it.each(
        casesOf(modelName)
          .filter(({ name }) => only?.(modelName, name) ?? true)
          .map(parityCase => [parityCase.name, parityCase] as const),
      )('%s', async (_, parityCase) => {
        const before = tf.memory().numTensors;
        await runCase(parityCase, model);
        expect(tf.memory().numTensors, `${modelName}, ${parityCase.name}: tensors leaked`).toBe(before);
      });
    });
  });

  async function runCase(parityCase: ParityCase, model: CausalLm): Promise<void> {
    const where = `${parityCase.model}, ${parityCase.name}`;
    const expected = readTensors(parityCase.model, parityCase.name, 'expected.safetensors');
    const checkLogits = (ours: Float32Array, theirs: string, what: string) =>
      check('logits', largest(ours, expected.get(theirs)!), `${where}, ${what}`);

    const start = openStart(parityCase, model);
    if (start) {
      const loaded = loadAdapter(start, model);
      checkLogits(await logitsOf(model, asRows(probe), loaded), 'start_logits', 'as PEFT wrote it');
      loaded.dispose();
      start.close();
    }
    if (!parityCase.steps) return;

    // A separate model, since takeOver permanently releases parameters of it, as in a run.
    const { model: trained, files } = openParityModel(parityCase.model);
    const adapter = attachForTraining(parityCase, trained);
    adapter.takeOver();
    expect(adapter.numParameters, `${where}: trainable parameters`).toBe(parityCase.trainable_parameters);
    await trainCase(parityCase, trained, adapter, (step, ours) => {
      const theirs = parityCase.steps![step]!;
      const at = `${where}, step ${step + 1}`;
      const rate = Math.abs(ours.learning_rate - theirs.learning_rate);
      expect(rate <= RATE_TOLERANCE, `${at}: learning rate differs by ${rate}`).toBe(true);
      check('loss', relative(ours.loss, theirs.loss), at);
      check('gradNorm', relative(ours.grad_norm, theirs.grad_norm), at);
    });
    await checkTensors(adapter, expected, where);
    checkLogits(await logitsOf(trained, asRows(probe), adapter), 'final_logits', 'trained');
    checkLogits(await logitsOf(trained, packedUnevenly(probe), adapter), 'final_logits', 'trained, rows packed');

    const written = await writeOurs(parityCase, trained, files, adapter);
    if (adapter.method.storage !== 'model') {
      const saved = openAdapter(written.folder, model.architecture);
      const reloaded = loadAdapter(saved, model);
      checkLogits(await logitsOf(model, asRows(probe), reloaded), 'final_logits', 'saved and loaded');
      reloaded.dispose();
      saved.close();
    }
    expect(written.merged !== null, `${where}: can be merged`).toBe(parityCase.mergeable);
    if (written.merged) {
      const mergedFiles = openHuggingFaceFolder(written.merged, written.merged);
      const merged = loadModel(mergedFiles);
      checkLogits(await logitsOf(merged, asRows(probe)), 'final_logits', 'merged, saved and loaded');
      merged.dispose();
      mergedFiles.close();
    }
    adapter.dispose();
    trained.dispose();
    files.close();
  }

  async function checkTensors(
    adapter: Adapter,
    expected: ReadonlyMap<string, Float32Array>,
    where: string,
  ): Promise<void> {
    const ours = adapter.exportTensors();
    // PEFT also saves the unchanged weight of an adapted head.
    const theirs = [...expected].filter(([name]) => name.startsWith('final.') && !name.endsWith('.base_layer.weight'));
    expect([...ours.keys()].sort(), `${where}: names of the tensors`).toEqual(
      theirs.map(([name]) => name.slice('final.'.length)).sort(),
    );
    for (const [name, values] of theirs) {
      const key = name.slice('final.'.length);
      check('tensors', meanDifference(await ours.get(key)!.data<'float32'>(), values), `${where}, ${key}`);
    }
    tf.dispose([...ours.values()]);
  }

  /** Saves the trained adapter and, if it can be merged, the merged model. */
  async function writeOurs(parityCase: ParityCase, model: CausalLm, files: ModelFiles, adapter: Adapter) {
    const folder = join(output, parityCase.model, parityCase.name);
    mkdirSync(folder, { recursive: true });
    if (adapter.method.storage !== 'model') await saveAdapter(folder, adapter, files.reference);
    const changed = adapter.merge();
    if (!changed) return { folder, merged: null };
    const merged = join(folder, 'merged');
    mkdirSync(merged);
    await writeModelFolder(merged, model, files, changed);
    return { folder, merged };
  }
}

/** The rows in two sequences: all but the last one packed, and the last one alone. */
function packedUnevenly(rows: readonly number[]): number[][] {
  return [rows.slice(0, -1), rows.slice(-1)];
}

function largest(ours: Float32Array, theirs: Float32Array): number {
  if (ours.length !== theirs.length) return Number.NaN;
  return ours.reduce((most, value, i) => {
    const difference = Math.abs(value - theirs[i]!);
    return difference <= most ? most : difference;
  }, 0);
}

function meanDifference(ours: Float32Array, theirs: Float32Array): number {
  if (ours.length !== theirs.length) return Number.NaN;
  const mean = (values: Float32Array) => values.reduce((sum, value) => sum + Math.abs(value), 0);
  return mean(ours.map((value, i) => value - theirs[i]!)) / mean(theirs);
}

function relative(ours: number, theirs: number): number {
  return Math.abs(ours / theirs - 1);
}
