// Memory by part as stacked bars on one scale, with a line at the free memory of this machine. Used by the run panel
// (before a run) and by the dashboard (compared with full fine-tuning).
import type { MemoryParts } from '../../../extension/src/protocol/engineEvent.js';
import { bytes } from '../../../extension/src/core/units.js';
import { h, type Child } from './dom.js';

const MEMORY_PARTS = ['weights', 'gradients', 'optimizer', 'activations', 'temporary'] as const;

const PART_MEANINGS: Record<(typeof MEMORY_PARTS)[number], string> = {
  weights: 'The model, frozen or trained',
  gradients: 'One for each trained parameter',
  optimizer: 'AdamW keeps two moments for each trained parameter',
  activations: 'Kept from the forward pass for the backward pass',
  temporary: 'Buffers of operations at the peak of a step',
};

export interface MemoryBar {
  label: string;
  /** By part, or a single figure. */
  memory: MemoryParts | number;
}

export interface MemoryBarsOptions {
  bars: readonly MemoryBar[];
  /** Free memory of this machine; null draws no line. */
  availableBytes: number | null;
}

export function memoryBars({ bars, availableBytes }: MemoryBarsOptions): HTMLElement {
  const totals = bars.map(({ memory }) => (typeof memory === 'number' ? memory : memory.total));
  // Far more free memory than any bar needs would squeeze the bars, so the line is left out.
  const most = Math.max(...totals);
  const drawLine = availableBytes !== null && availableBytes <= 2 * most;
  const scale = drawLine ? Math.max(most, availableBytes) : most;
  const width = (value: number) => `${((100 * value) / scale).toFixed(2)}%`;
  const rows = bars.map(({ label, memory }, i) => {
    const over = availableBytes !== null && totals[i]! > availableBytes;
    const segments: Child[] =
      typeof memory === 'number'
        ? [segment('single', width(memory), bytes(memory))]
        : MEMORY_PARTS.map(part => segment(part, width(memory[part]), `${part}: ${bytes(memory[part])}`));
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

/** By script, since the content security policy forbids style attributes. */
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
    ...MEMORY_PARTS.map(part =>
      h(
        'div',
        { title: PART_MEANINGS[part] },
        h('dt', {}, h('span', { class: `swatch part-${part}`, 'aria-hidden': 'true' }), part),
        h('dd', { class: 'number' }, bytes(memory[part])),
      ),
    ),
  );
}
