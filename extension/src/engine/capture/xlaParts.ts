// Splits a traced graph into parts that XLA compiles, each a function in the graph's library: one call replaces a
// part's nodes. Equal parts, such as a model's layers, become one function and are compiled once. Called by
// compiledFunction.ts. Only rearranges nodes: what a graph computes never changes.
import { Graph, nodeOf, type GraphNode } from './graph.js';
import { memoryOf, rowOf } from './opTable.js';
import type { TracedFunction } from './tracingBackend.js';

/**
 * The graph split at its in-place updates. Updates stay separate nodes, as do slices of their results: TensorFlow does
 * both without a copy.
 * @returns null if the graph has an op that XLA can't compile, or control dependencies
 */
export function inXlaParts(traced: TracedFunction): TracedFunction | null {
  const { nodes } = traced.graph;
  const byName = new Map(nodes.map(node => [node.name, node]));
  const parts: GraphNode[][] = [];
  /** Index of the part that each node is in; for a node outside all parts, the first part that may read it. */
  const places = new Map<string, { part: number; outside: boolean }>();
  for (const node of nodes) {
    const sources = node.inputs.map(input => byName.get(nodeOf(input))!);
    const memory = memoryOf(node);
    const outside =
      memory === 'held' || memory === 'update' || (node.op === 'Slice' && memoryOf(sources[0]!) === 'update');
    if (!outside && (rowOf(node.op).xla === null || node.inputs.some(input => input.startsWith('^')))) return null;
    let part = 0;
    for (const { name } of sources) {
      const source = places.get(name)!;
      part = Math.max(part, outside && !source.outside ? source.part + 1 : source.part);
    }
    places.set(node.name, { part, outside });
    if (!outside) (parts[part] ??= []).push(node);
  }
  const leaving = new Set(traced.outputs);
  for (const node of nodes)
    for (const input of node.inputs) {
      const [own, source] = [places.get(node.name)!, places.get(nodeOf(input))!];
      if (own.outside || own.part !== source.part) leaving.add(input);
    }
  const rest = nodes.filter(({ name }) => places.get(name)!.outside);
  return new Assembly(traced, byName, leaving).assemble(parts, rest);
}

/** The graph that calls the parts, under construction. */
class Assembly {
  private readonly graph = new Graph();
  private readonly functions = new Map<string, string>();
  /** For each value that leaves a part, the call's output that replaces it. */
  private readonly moved = new Map<string, string>();

  constructor(
    private readonly traced: TracedFunction,
    private readonly byName: ReadonlyMap<string, GraphNode>,
    /** Values that are read outside the part that computes them. */
    private readonly leaving: ReadonlySet<string>,
  ) {}

  assemble(parts: readonly GraphNode[][], rest: readonly GraphNode[]): TracedFunction {
    const { graph, traced, moved } = this;
    graph.nodes.push(...rest);
    // A part between two successive updates may be empty.
    for (const part of parts) if (part) this.call(part);
    const now = (output: string) => moved.get(output) ?? output;
    for (const [i, node] of graph.nodes.entries()) graph.nodes[i] = { ...node, inputs: node.inputs.map(now) };
    return { ...traced, graph, outputs: traced.outputs.map(now) };
  }

  /** Adds a node that calls a part, and the part as a function unless an equal one exists. */
  private call(part: readonly GraphNode[]): void {
    const members = new Set(part.map(({ name }) => name));
    const nodes: GraphNode[] = [];
    const written = new Map<string, string>();
    const read: string[] = [];
    /** Names within the function follow from its structure alone, so that equal parts compare equal. */
    const write = (node: GraphNode): string => {
      const known = written.get(node.name);
      if (known) return known;
      const inputs = node.inputs.map(reference);
      const name = `n${nodes.length}`;
      written.set(node.name, name);
      nodes.push({ ...node, name, inputs });
      return name;
    };
    // Constants are copied into every part that reads them: XLA needs to know sizes and axes.
    const reference = (input: string): string => {
      const source = this.byName.get(nodeOf(input))!;
      if (members.has(source.name) || source.op === 'Const')
        return `${write(source)}:${rowOf(source.op).xla}:${input.split(':')[1]!}`;
      if (!read.includes(input)) read.push(input);
      return `a${read.indexOf(input)}`;
    };
    for (const node of part) write(node);
    const returned = [...this.leaving].filter(output => members.has(nodeOf(output)));
    const typeOf = (output: string) => this.traced.tensors.get(output)!.dtype;
    const outputs = returned.map(output => ({ type: typeOf(output), value: reference(output) }));
    const content = { inputs: read.map(typeOf), outputs, nodes };
    const key = JSON.stringify(content);
    const name = this.functions.get(key) ?? `part_${this.functions.size}`;
    if (!this.functions.has(key)) this.graph.functions.push({ name, ...content });
    this.functions.set(key, name);
    const call = this.graph.add(name, read, { _XlaMustCompile: { bool: true } });
    for (const [i, output] of returned.entries()) this.moved.set(output, `${call}:${i}`);
  }
}
