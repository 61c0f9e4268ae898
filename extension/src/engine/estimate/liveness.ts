// How much memory a traced graph takes while it runs. TensorFlow's executor frees a buffer as soon as the last node that
// reads it is done, and lets an elementwise node write over an input that nobody else needs. Pure; called by
// traceGraph.ts.
import { bytesOfType, type GraphNode } from '../capture/graph.js';
import type { AbstractTensor } from '../capture/shapeRules.js';
import type { TracedFunction } from '../capture/tracingBackend.js';

/** Nodes whose result is their first input's buffer. */
const VIEWS = new Set(['Reshape', 'ExpandDims', 'Identity', 'Squeeze', 'Bitcast']);
/** Nodes that make nothing: what is fed, held by variables or part of the graph is counted elsewhere. */
const SOURCES = new Set(['Placeholder', 'VarHandleOp', 'ReadVariableOp', 'Const']);
/** Kernels that ask for `forward_input_or_allocate_output`. */
const IN_PLACE = new Set([
  ...['Neg', 'Abs', 'Sign', 'Square', 'Sqrt', 'Rsqrt', 'Exp', 'Log', 'Sigmoid', 'Tanh', 'Relu', 'Reciprocal'],
  ...['Add', 'AddV2', 'Sub', 'Mul', 'Div', 'RealDiv', 'FloorDiv', 'Pow', 'Maximum', 'Minimum', 'AddN'],
  ...['Softmax', 'LogSoftmax', 'TensorScatterSub'],
]);

/** Whether a node fills memory of its own. */
export function makesBuffer({ op }: GraphNode): boolean {
  return !VIEWS.has(op) && !SOURCES.has(op);
}

interface Buffer {
  bytes: number;
  /** Nodes that have yet to read it; a result of the graph is never let go. */
  readers: number;
}

/** `node` of `node:output` or `^node`. */
export function nodeOf(input: string): string {
  return input.startsWith('^') ? input.slice(1) : input.slice(0, input.lastIndexOf(':'));
}

export function bytesOf({ shape, dtype }: AbstractTensor): number {
  return shape.reduce((product, size) => product * size, bytesOfType(dtype));
}

/** Nodes in the order in which they run, and the results. */
export interface Schedule {
  nodes: readonly GraphNode[];
  outputs: readonly string[];
}

/**
 * What TensorFlow runs for the results. Its optimizer leaves out what no result depends on, and merges nodes that are the
 * same: what a gradient computes anew is then kept instead.
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
    if (SOURCES.has(node.op)) return [{ ...node, inputs }];
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

/** The nodes as the executor takes them: whatever is ready, in the order in which it became so. */
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
  // Grows while it is walked.
  for (const { name } of ready)
    for (const reader of readers.get(name) ?? []) {
      const entry = waiting.get(reader)!;
      if (--entry.inputs === 0) ready.push(entry.node);
    }
  return ready;
}

export interface Liveness {
  /** Bytes of intermediate and final results that stand at once, at most. */
  peak: number;
  /** Those that stand while each node runs, in the order of the schedule. */
  during: readonly number[];
  /** Bytes that stand when each node is done, by its name. */
  standing: ReadonlyMap<string, number>;
}

export function liveness({ nodes, outputs }: Schedule, tensors: TracedFunction['tensors']): Liveness {
  const uses = new Map<string, number>();
  const use = (output: string) => uses.set(output, (uses.get(output) ?? 0) + 1);
  for (const { inputs } of nodes) for (const input of inputs) if (!input.startsWith('^')) use(input);
  outputs.forEach(use);

  const buffers = new Map<string, Buffer>();
  const standing = new Map<string, number>();
  const during: number[] = [];
  let live = 0;
  for (const node of nodes) {
    const { name, op, inputs } = node;
    if (SOURCES.has(op)) {
      during.push(live);
      continue;
    }
    const data = inputs.filter(input => !input.startsWith('^'));
    const read = data.map(input => buffers.get(input)).filter(buffer => buffer !== undefined);
    const made: Buffer[] = [];
    for (let i = 0; tensors.has(`${name}:${i}`); i++) {
      const output = `${name}:${i}`;
      const readers = uses.get(output) ?? 0;
      const bytes = bytesOf(tensors.get(output)!);
      const shared = VIEWS.has(op) ? buffers.get(data[0]!) : IN_PLACE.has(op) ? overwritten(read, bytes) : undefined;
      // A view of what is fed or held takes nothing.
      if (VIEWS.has(op) && !shared) continue;
      if (shared) shared.readers += readers;
      else live += bytes;
      const buffer = shared ?? { bytes, readers };
      buffers.set(output, buffer);
      made.push(buffer);
    }
    during.push(live + scratchBytes(node, tensors));
    for (const buffer of read) if (--buffer.readers === 0) live -= buffer.bytes;
    for (const buffer of made) if (buffer.readers === 0 && !read.includes(buffer)) live -= buffer.bytes;
    standing.set(name, live);
  }
  return { peak: highest(during), during, standing };
}

export function highest(bytes: readonly number[]): number {
  return bytes.reduce((most, bytes) => Math.max(most, bytes), 0);
}

/**
 * What a node takes only while it runs: Eigen turns the second matrix of a product round that is to be transposed, in a
 * copy of its own. Measured op by op (256 rows of 576, TensorFlow 2.21): 110-115 MB with 49,152 columns, where the matrix has 113,
 * 33-36 with 16,384 (38); nothing with the operands the other way round, nor where nothing is transposed. oneDNN takes no
 * copy on a CPU with AVX2 alone; with AVX-512 it wasn't measured, so the copy is counted wherever it may be.
 */
function scratchBytes({ op, inputs, attributes }: GraphNode, tensors: TracedFunction['tensors']): number {
  const transposed = { MatMul: 'transpose_b', BatchMatMulV2: 'adj_y' }[op];
  if (transposed === undefined || !(attributes[transposed] as { bool: boolean }).bool) return 0;
  return bytesOf(tensors.get(inputs[1]!)!);
}

/** An input of this size that this node is the last to read. */
function overwritten(read: readonly Buffer[], bytes: number): Buffer | undefined {
  return read.find(
    buffer => buffer.bytes === bytes && buffer.readers === read.filter(other => other === buffer).length,
  );
}
