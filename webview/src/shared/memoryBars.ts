// Memory by part as bars, one below the other and to one scale, with a line at what the machine has free. Used by the run
// panel (before a run) and by the dashboard (beside what it took).
import type { MemoryParts } from '../../../extension/src/protocol/engineEvent.js';
import { bytes } from '../../../extension/src/core/units.js';
import { h, type Child } from './dom.js';

export const memoryParts = ['weights', 'gradients', 'optimizer', 'activations', 'temporary'] as const;

const meaning: Record<(typeof memoryParts)[number], string> = {
  weights: 'The model itself, frozen or not',
  gradients: 'One for each trained parameter',
  optimizer: 'AdamW keeps two more for each',
  activations: 'Kept from the forward pass for the backward pass',
  temporary: 'Buffers of single operations at the peak of a step',
};

export interface MemoryBar {
  label: string;
  /** By part, or a single figure. */
  memory: MemoryParts | number;
}

export interface MemoryBarsOptions {
  bars: readonly MemoryBar[];
  /** Bytes that are free on this machine; null draws no line. */
  availableBytes: number | null;
}

export function memoryBars({ bars, availableBytes }: MemoryBarsOptions): HTMLElement {
  const totals = bars.map(({ memory }) => (typeof memory === 'number' ? memory : memory.total));
  // Far more free memory than any bar would squeeze them all: the line then stays off.
  const most = Math.max(...totals);
  const drawLine = availableBytes !== null && availableBytes <= 2 * most;
  const scale = drawLine ? Math.max(most, availableBytes) : most;
  const width = (value: number) => `${((100 * value) / scale).toFixed(2)}%`;
  const rows = bars.map(({ label, memory }, i) => {
    const over = availableBytes !== null && totals[i]! > availableBytes;
    const segments: Child[] =
      typeof memory === 'number'
        ? [segment('single', width(memory), bytes(memory))]
        : memoryParts.map(part => segment(part, width(memory[part]), `${part}: ${bytes(memory[part])}`));
    const line = drawLine ? positioned(h('span', { class: 'available' }), 'left', width(availableBytes)) : null;
    return h(
      'div',
      { class: `memory-row${over ? ' over' : ''}` },
      h(
        'div',
        { class: 'memory-label' },
        h('span', {}, label),
        h('span', { class: 'number' }, bytes(totals[i]!) + (over ? ' (more than is free)' : '')),
      ),
      h('div', { class: 'memory-bar', 'aria-hidden': 'true' }, ...segments, line),
    );
  });
  const free =
    availableBytes === null
      ? null
      : h('p', { class: 'muted memory-free' }, `${bytes(availableBytes)} free on this machine`);
  return h('div', { class: 'memory' }, ...rows, free, legend(bars));
}

function segment(part: string, width: string, title: string): HTMLElement {
  return positioned(h('span', { class: `part part-${part}`, title }), 'width', width);
}

/** By script: the policy allows no style attributes. */
function positioned(element: HTMLElement, property: 'left' | 'width', value: string): HTMLElement {
  element.style[property] = value;
  return element;
}

function legend(bars: readonly MemoryBar[]): HTMLElement | null {
  const first = bars.find(bar => typeof bar.memory !== 'number');
  if (!first) return null;
  const memory = first.memory as MemoryParts;
  return h(
    'dl',
    { class: 'memory-legend', 'aria-label': `${first.label}: memory by part` },
    ...memoryParts.map(part =>
      h(
        'div',
        { title: meaning[part] },
        h('dt', {}, h('span', { class: `swatch part-${part}`, 'aria-hidden': 'true' }), part),
        h('dd', { class: 'number' }, bytes(memory[part])),
      ),
    ),
  );
}
