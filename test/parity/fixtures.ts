// Reads the output of make_fixtures.py: rows, models, and cases with PyTorch's figures. Used by the parity tests; knows
// only the layout of test/fixtures/parity.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EncodedExample } from '../../extension/src/core/data/example.js';
import { openSafetensors } from '../../extension/src/engine/files/safetensors.js';

export const parityFolder = fileURLToPath(new URL('../fixtures/parity/', import.meta.url));

interface Row {
  input_ids: number[];
  labels: number[];
}

export interface ParityStep {
  /** Row indices of each micro-batch. */
  micro_batches: number[][];
  loss: number;
  grad_norm: number;
  learning_rate: number;
}

export interface ParityCase {
  name: string;
  model: string;
  /** The method block of a run file; `training` is its training block, as far as it differs from the defaults. */
  method: { peft_type: string } & Record<string, unknown>;
  training: Record<string, unknown>;
  mergeable: boolean;
  trainable_parameters: number;
  /** Missing if the adapter is only loaded. */
  steps?: ParityStep[];
}

function readJson(...path: string[]): any {
  return JSON.parse(readFileSync(join(parityFolder, ...path), 'utf8'));
}

export const { rows, padded, probe } = readJson('rows.json') as { rows: Row[]; padded: number[]; probe: number[] };

export const parityModels: readonly string[] = readdirSync(parityFolder).filter(name =>
  existsSync(join(parityFolder, name, 'expected.json')),
);

export function casesOf(model: string): ParityCase[] {
  return (readJson(model, 'expected.json').cases as ParityCase[]).map(entry => ({ ...entry, model }));
}

/** All tensors of a file in the fixtures. */
export function readTensors(...path: string[]): Map<string, Float32Array> {
  const file = openSafetensors(join(parityFolder, ...path));
  const tensors = new Map([...file.tensors].map(([name, tensor]) => [name, tensor.readFloat32()]));
  file.close();
  return tensors;
}

/** The rows as a dataset, for makeBatch. */
export const parityDataset = {
  lengthOf: (i: number) => rows[i]!.input_ids.length,
  get: (i: number): EncodedExample => ({
    inputIds: Int32Array.from(rows[i]!.input_ids),
    labels: Int32Array.from(rows[i]!.labels),
  }),
};
