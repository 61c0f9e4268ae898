// What the views say of the models that `models list` prints.
import { expect, test, vi } from 'vitest';
import { machineModels } from '../../../../extension/src/host/engineProcess/machineModels.js';
import type { EngineService } from '../../../../extension/src/host/services.js';

const listed = { id: '/ws/merged', store: 'folder', path: '/ws/merged', sizeBytes: 7_000_000, modelType: 'llama' };
const described = async (changes: object) => {
  const json = vi.fn(async () => [{ ...listed, reason: null, base: null, ...changes }]);
  const [model] = await machineModels({ json } as unknown as EngineService, ['/ws/merged']);
  expect(json).toHaveBeenCalledWith(['models', 'list', '--folder', '/ws/merged']);
  return model!.description;
};

test.each([
  [{}, 'llama · 7 MB'],
  [{ base: 'embedded:tiny' }, 'made from embedded:tiny · llama · 7 MB'],
  [{ base: '/models/SmolLM2' }, 'made from SmolLM2 · llama · 7 MB'],
  [{ base: '/ws/runs/pirate-20260101/model' }, 'made from pirate-20260101 · llama · 7 MB'],
  [{ store: 'huggingface', modelType: null }, 'unknown type · 7 MB · huggingface'],
])('%o', async (changes, description) => expect(await described(changes)).toBe(description));

test('without folders only the stores are listed', async () => {
  const json = vi.fn(async () => []);
  await machineModels({ json } as unknown as EngineService, []);
  expect(json).toHaveBeenCalledWith(['models', 'list']);
});
