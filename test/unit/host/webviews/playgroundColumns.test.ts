// What the column picker offers: results of runs of this base, and the checkpoints that their folders still have.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { newConversation } from '../../../../extension/src/core/playground/conversation.js';
import { initialRunState } from '../../../../extension/src/core/runs/runState.js';
import { argumentsOfRun, pickColumn } from '../../../../extension/src/host/webviews/playgroundColumns.js';

interface Item {
  label: string;
  description?: string;
}
const { shown, choose } = vi.hoisted(() => ({ shown: [] as Item[][], choose: [] as string[] }));
vi.mock('vscode', () => ({ QuickPickItemKind: { Separator: -1 } }));
vi.mock('../../../../extension/src/host/window.js', () => ({
  showQuickPick: async (items: Item[]) => {
    shown.push(items);
    const label = choose.shift();
    return items.find(item => item.label === label);
  },
}));

const folder = mkdtempSync(join(tmpdir(), 'tunewright-columns-'));
afterAll(() => rmSync(folder, { recursive: true }));

function run(name: string, model: string, steps: readonly number[], completed = false) {
  const path = join(folder, name);
  for (const step of steps) {
    mkdirSync(join(path, 'checkpoints', `step-${step}`), { recursive: true });
    writeFileSync(join(path, 'checkpoints', `step-${step}`, 'state.json'), '{}');
  }
  if (completed) mkdirSync(join(path, 'adapter'), { recursive: true });
  const row = { step: 100, loss: 0.9314, best: 1, time: 0 };
  const state = {
    ...initialRunState,
    evaluations: initialRunState.evaluations.append(row),
    completed: completed ? { adapter: 'adapter', reason: 'stopped' } : null,
  };
  const config = { model, method: { peft_type: 'LORA' } };
  return { folder: path, name, config, startedMs: 0, alive: !completed, glance: () => state, read: async () => state };
}

test('checkpoints that exist are offered, of runs that train too, the latest first', async () => {
  mkdirSync(join(folder, 'pirate', 'checkpoints', 'step-1500'), { recursive: true });
  const all = [
    run('pirate', 'embedded:tiny', [20, 100, 1000], true),
    run('formal', 'embedded:tiny', [5]),
    run('fresh', 'embedded:tiny', []),
    run('other', '/models/other', [7]),
  ];
  choose.push('Checkpoint of a Run...', 'Step 100');
  const conversation = newConversation({ id: 'x', model: 'embedded:tiny', columns: [] });
  const column = await pickColumn(
    conversation,
    { runs: () => all } as never,
    {} as never,
    { exportsOf: () => ['gguf'] } as never,
  );
  expect(shown[1]!.map(({ label, description }) => [label, description])).toEqual([
    ['pirate', undefined],
    ['Step 1,000', ''],
    ['Step 100', 'validation loss 0.931'],
    ['Step 20', ''],
    ['formal', undefined],
    ['Step 5', ''],
  ]);
  const path = join(folder, 'pirate', 'checkpoints', 'step-100');
  const name = 'pirate, step 100';
  expect(column).toEqual({ name, model: null, parts: [{ name, path, weight: 1 }], run: join(folder, 'pirate') });
});

test('a run is talked to with its weights and on its device; defaults are left out, as those of a model alone', () => {
  const of = (engine: object) => {
    const { columns: _, ...given } = argumentsOfRun({
      ...run('any', 'm', []),
      config: { model: 'm', engine },
    } as never);
    return given;
  };
  const defaults = { base_weights: 'float32', backend: 'auto', adapter: null };
  expect(of(defaults)).toEqual({ model: 'm' });
  expect(of({ ...defaults, adapter: 1 })).toEqual({ model: 'm', device: { backend: 'auto', adapter: 1 } });
  expect(of({ ...defaults, base_weights: 'int8', backend: 'webgpu' })).toEqual({
    ...{ model: 'm', baseWeights: 'int8', device: { backend: 'webgpu', adapter: null } },
  });
});

test('without a checkpoint there is no such choice', async () => {
  shown.length = 0;
  const conversation = newConversation({ id: 'x', model: '/models/none', columns: [] });
  await pickColumn(conversation, { runs: () => [] } as never, {} as never, {} as never);
  expect(shown[0]!.map(({ label }) => label)).toEqual(['base', 'More', 'Adapter Folder...', 'Another Model...']);
});
