// What the command Install Training Engine offers on a machine.
import { expect, test, vi } from 'vitest';
import { installations } from '../../../../extension/src/host/commands/engineCommands.js';
import type { EngineStatusAnswer } from '../../../../extension/src/protocol/engineStatus.js';

vi.mock('vscode', () => ({}));

function offered({ tensorflow = false, possible = false, dawn = false, nvidia = false }): [string, string][] {
  const status: EngineStatusAnswer = {
    installation: tensorflow ? { libraryVersion: '2.21.0', source: 'wheel', gpu: false } : null,
    webgpu: { possible, libraryVersion: dawn ? '0.6.2' : null, adapters: [], problem: null },
    backend: { name: 'wasm', libraryVersion: '4', device: 'CPU (x)', threads: 1 },
    machine: { cores: 2, memoryBytes: 1, availableMemoryBytes: 1, gpus: nvidia ? ['GPU 0'] : [] },
    advice: [],
  };
  return installations(status).map(({ label, backend, args }) => [label, [backend, ...args].join(' ')]);
}

test('without a GPU there is nothing to choose', () => {
  expect(offered({})).toEqual([['Install TensorFlow', 'auto']]);
});

test('where there may be a GPU, WebGPU is offered beside TensorFlow', () => {
  expect(offered({ possible: true, nvidia: true })).toEqual([
    ['Install TensorFlow', 'auto'],
    ['Install WebGPU', 'webgpu'],
    ['Install TensorFlow for NVIDIA GPUs', 'auto --gpu'],
  ]);
  expect(offered({ possible: true, tensorflow: true }).map(([label]) => label)).toEqual([
    ...['Keep', 'Install WebGPU', 'Reinstall TensorFlow'],
  ]);
});

test('what is there already is kept or installed again', () => {
  expect(offered({ possible: true, tensorflow: true, dawn: true })).toEqual([
    ['Keep', ''],
    ['Reinstall TensorFlow', 'auto --force'],
  ]);
});
