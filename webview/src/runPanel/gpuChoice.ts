// The choice of the GPU in the run panel's engine options. It appears where there is something to choose: for WebGPU, or with several GPUs.
import { gpuName, type KnownGpu } from '../../../extension/src/core/gpuMemory.js';
import { wantedBackend } from '../../../extension/src/core/wantedBackend.js';
import type { EngineConfig } from '../../../extension/src/protocol/engineConfig.js';
import { h, setText } from '../shared/dom.js';
import { dropdown } from '../shared/toolkit.js';

const FIRST = '';

export class GpuChoice {
  private readonly gpus = dropdown({
    label: 'GPU',
    onChange: value => this.onChange(value === FIRST ? null : value),
  });
  private readonly help = h('p', { class: 'help' });
  readonly element = h(
    'div',
    { class: 'field', 'data-key': 'adapter', hidden: true },
    h('div', { class: 'field-label' }, 'GPU', ' ', h('code', { class: 'field-key muted' }, 'adapter')),
    this.gpus.element,
    this.help,
  );

  /** @param onChange gets a name; null: the first one */
  constructor(private readonly onChange: (adapter: string | null) => void) {}

  /** @param known null: not known yet */
  show({ backend, adapter }: Pick<EngineConfig, 'backend' | 'adapter'>, known: readonly KnownGpu[] | null): void {
    const wanted = wantedBackend({ backend, adapter });
    const gpus = known ?? [];
    this.element.hidden = wanted !== 'webgpu' && (wanted !== 'auto' || gpus.length < 2);
    const chosen = adapter === null ? undefined : chosenGpu(gpus, adapter);
    const value = adapter === null ? FIRST : (chosen?.name ?? String(adapter));
    this.gpus.choices = [
      { value: FIRST, label: 'The first that isn’t software' },
      ...gpus.map(gpu => ({ value: gpu.name, label: gpuName(gpu) })),
      ...(adapter === null || chosen ? [] : [{ value, label: `${value} (not on this machine)` }]),
    ];
    this.gpus.value = value;
    const none = 'WebGPU has found no GPU on this machine, or isn’t installed yet: a start installs it.';
    setText(this.help, known === null ? 'Looking for GPUs...' : gpus.length === 0 ? none : '');
  }
}

/** As the engine chooses: by index, or by a part of the name; null: the first that isn't software. */
export function chosenGpu(gpus: readonly KnownGpu[], adapter: string | number | null): KnownGpu | undefined {
  if (adapter === null) return gpus.find(({ type }) => type !== 'software') ?? gpus[0];
  const byIndex = typeof adapter === 'number' ? gpus.find(({ index }) => index === adapter) : undefined;
  return byIndex ?? gpus.find(({ name }) => name.toLowerCase().includes(String(adapter).toLowerCase()));
}
