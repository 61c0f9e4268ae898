import { expect, test } from 'vitest';
import { CLUSTER_KEYS, engineHere, engineOn, LOCAL_KEYS } from '../../../../extension/src/core/runs/runPlace.js';
import { clusterSchema } from '../../../../extension/src/protocol/clusters.js';
import { engineConfigSchema } from '../../../../extension/src/protocol/engineConfig.js';

const lab = clusterSchema.parse({ name: 'lab', address: 'http://lab:8265', num_workers: 4, price_per_hour: 2 });

test('every key of the engine block counts here, on a cluster, or in both places', () => {
  const keys = Object.keys(engineConfigSchema.shape);
  expect([...CLUSTER_KEYS, ...LOCAL_KEYS, 'threads'].toSorted()).toEqual(keys.toSorted());
});

test('on a cluster, a run has its settings, without those that are the default or of this machine', () => {
  const here = { backend: 'webgpu', adapter: 'NVIDIA', base_weights: 'int8', threads: 8, num_workers: 2 };
  const there = engineOn(here, lab);
  expect(there).toEqual({ backend: 'ray', address: 'http://lab:8265', num_workers: 4 });
  expect(engineConfigSchema.safeParse(there).success).toBe(true);
  expect(engineOn(there, { address: 'http://other:8265' })).toEqual({ backend: 'ray', address: 'http://other:8265' });
});

test('on this machine, nothing of the cluster is left, and other settings stay', () => {
  expect(engineHere(engineOn({}, lab))).toEqual({});
  const here = { backend: 'wasm', threads: 2 };
  expect(engineHere(here)).toBe(here);
});
