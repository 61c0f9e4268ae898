// The memory that a traced graph uses while it runs. TensorFlow's executor frees a buffer as soon as the last node that
// reads it is done, and lets an elementwise node overwrite an input that nothing else needs. Pure; called by
// traceGraph.ts.
import { boolAttribute, bytesOfType, nodeOf, type GraphNode } from '../capture/graph.js';
import { memoryOf, rowOf } from '../capture/opTable.js';
import type { AbstractTensor } from '../capture/shapeRules.js';
import type { TracedFunction } from '../capture/tracingBackend.js';

interface Buffer {
  bytes: number;
  /** Reads that are still to come; a result of the graph is never freed. */
  readers: number;
}

export function bytesOf({ shape, dtype }: AbstractTensor): number {
  return shape.reduce((product, size) => product * size, bytesOfType(dtype));
}

/** Nodes in execution order, and the graph's results. */
export interface Schedule {
  nodes: readonly GraphNode[];
  outputs: readonly string[];
}

/**
 * The nodes that TensorFlow runs for the results. Its optimizer removes nodes that no result depends on, and merges
 * equal nodes: a gradient's recomputation is then replaced by keeping the original.
 */
export function nodesThatRun({ graph, outputs }: TracedFunction): Schedule {
  const same = new Map<string, string>();
  const merged = new Map<string, string>();
  const resolve = (input: string) => {
    const name = nodeOf(input);
    return merged.has(name) ? input.replace(name, merged.get(name)!) : input;
  };
  const nodes = graph.nodes.flatMap(node => {
    const inputs = node.inputs.map(resolve);
    if (memoryOf(node) === 'held') return [{ ...node, inputs }];
    const key = JSON.stringify([node.op, inputs, node.attributes]);
    const first = same.get(key);
    if (first === undefined) same.set(key, node.name);
    else merged.set(node.name, first);
    return first === undefined ? [{ ...node, inputs }] : [];
  });
  const results = outputs.map(resolve);
  return { nodes: readyFirst(reachable(nodes, results)), outputs: results };
}

function reachable(all: readonly GraphNode[], outputs: readonly string[]): GraphNode[] {
  const byName = new Map(all.map(node => [node.name, node]));
  const wanted = new Set<string>();
  const open = outputs.map(nodeOf);
  while (open.length > 0) {
    const name = open.pop()!;
    if (wanted.has(name)) continue;
    wanted.add(name);
    open.push(...byName.get(name)!.inputs.map(nodeOf));
  }
  return all.filter(({ name }) => wanted.has(name));
}

/** The nodes in the executor's order: ready nodes run in the order in which they became ready. */
function readyFirst(nodes: readonly GraphNode[]): GraphNode[] {
  const waiting = new Map<string, { node: GraphNode; inputs: number }>();
  const readers = new Map<string, string[]>();
  const ready: GraphNode[] = [];
  for (const node of nodes) {
    const sources = new Set(node.inputs.map(nodeOf));
    for (const source of sources) {
      const known = readers.get(source);
      if (known) known.push(node.name);
      else readers.set(source, [node.name]);
    }
    if (sources.size === 0) ready.push(node);
    else waiting.set(node.name, { node, inputs: sources.size });
  }
  // Grows during the iteration.
  for (const { name } of ready)
    for (const reader of readers.get(name) ?? []) {
      const entry = waiting.get(reader)!;
      if (--entry.inputs === 0) ready.push(entry.node);
    }
  return ready;
}

export interface Liveness {
  /** Maximum bytes of intermediate and final results that are held at the same time. */
  peak: number;
  /** Bytes held while each node runs, in the order of the schedule. */
  during: readonly number[];
  /** Bytes held after each node, by its name. */
  after: ReadonlyMap<string, number>;
}

export function liveness({ nodes, outputs }: Schedule, tensors: TracedFunction['tensors']): Liveness {
  const uses = new Map<string, number>();
  const use = (output: string) => uses.set(output, (uses.get(output) ?? 0) + 1);
  for (const { inputs } of nodes) for (const input of inputs) if (!input.startsWith('^')) use(input);
  outputs.forEach(use);

  const buffers = new Map<string, Buffer>();
  const after = new Map<string, number>();
  const during: number[] = [];
  let live = 0;
  for (const node of nodes) {
    const { name, inputs } = node;
    const memory = memoryOf(node);
    // Inputs, variables and constants are counted elsewhere.
    if (memory === 'held') {
      during.push(live);
      continue;
    }
    const data = inputs.filter(input => !input.startsWith('^'));
    const isView = memory === 'view' || memory === 'update';
    const first = data.length > 0 ? buffers.get(data[0]!) : undefined;
    const read = data.map(input => buffers.get(input)).filter(buffer => buffer !== undefined);
    const mayOverwrite = memory === 'overAny' ? read : memory === 'overFirst' && first ? [first] : [];
    const made: Buffer[] = [];
    for (let i = 0; tensors.has(`${name}:${i}`); i++) {
      const output = `${name}:${i}`;
      const readers = uses.get(output) ?? 0;
      const bytes = bytesOf(tensors.get(output)!);
      const shared = isView ? first : mayOverwrite.find(buffer => buffer.bytes === bytes && isReadLast(buffer, read));
      // A view of an input, variable or constant takes no memory.
      if (isView && !shared) continue;
      if (shared) shared.readers += readers;
      else live += bytes;
      const buffer = shared ?? { bytes, readers };
      buffers.set(output, buffer);
      made.push(buffer);
    }
    during.push(live + scratchBytes(node, tensors));
    for (const buffer of read) if (--buffer.readers === 0) live -= buffer.bytes;
    for (const buffer of made) if (buffer.readers === 0 && !read.includes(buffer)) live -= buffer.bytes;
    after.set(name, live);
  }
  return { peak: highest(during), during, after };
}

export function highest(bytes: readonly number[]): number {
  return bytes.reduce((most, bytes) => Math.max(most, bytes), 0);
}

/**
 * Bytes that a node uses only while it runs: Eigen copies the second matrix of a product in order to transpose it.
 * Measured op by op (256 rows of 576, TensorFlow 2.21): 110-115 MB with 49,152 columns (a matrix of 113 MB), 33-36 MB
 * with 16,384 (38 MB); nothing for the first matrix, nor without a transposition. oneDNN makes no copy on a CPU with
 * AVX2 only; AVX-512 wasn't measured, so the copy is counted wherever it is possible.
 */
function scratchBytes({ op, inputs, attributes }: GraphNode, tensors: TracedFunction['tensors']): number {
  const { product } = rowOf(op);
  const copies = product?.copiesTransposed && boolAttribute(attributes, product.transposesSecond);
  return copies ? bytesOf(tensors.get(inputs[1]!)!) : 0;
}

/** Whether a node that reads `read` is the last reader of the buffer. */
function isReadLast(buffer: Buffer, read: readonly Buffer[]): boolean {
  return buffer.readers === read.filter(other => other === buffer).length;
}
