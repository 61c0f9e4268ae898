// Compiled functions with named tensors: inputs and outputs are trees of objects and maps of any depth, so callers
// don't count positions. Used by the captured steps of training/; compiledFunction.ts runs the graph.
import type * as tf from '@tensorflow/tfjs-core';
import { captureFunction, type CapturedFunction } from './captureFunction.js';
import { specsOf, trace, type InputSpec, type TracedFunction } from './tracingBackend.js';

/**
 * A tensor (or its description), or an object or map of such trees by name. `undefined` entries are left out. (A more
 * exact type would reject interfaces, which have no index signature.)
 */
type Tree = object;

/** A graph from named tensors to named tensors. Owns the graph. */
export class CompiledTree<Inputs extends Tree, Outputs extends Tree> {
  private constructor(
    readonly compiled: CapturedFunction,
    private readonly inputs: Tree,
    private readonly outputs: Tree,
  ) {}

  /**
   * @param like tensors with the names and shapes that the graph is made for; their values aren't used
   * @throws UntraceableError on an op without a row in the table
   */
  static async compile<Inputs extends Tree, Outputs extends Tree>(
    like: Inputs,
    f: (inputs: Inputs) => Outputs,
  ): Promise<CompiledTree<Inputs, Outputs>> {
    const inputs = described(like);
    let outputs: Tree = {};
    const compiled = await captureFunction(leavesOf<InputSpec>(inputs), (...leaves) => {
      const results = f(filled(inputs, leaves) as Inputs);
      outputs = described(results);
      return tensorsOf(results);
    });
    return new CompiledTree(compiled, inputs, outputs);
  }

  /** Runs the graph on tensors of the same names. The results belong to the caller. */
  run(inputs: Inputs): Outputs {
    return filled(this.outputs, this.compiled.run(leavesOf<tf.Tensor>(this.inputs, inputs))) as Outputs;
  }

  dispose(): void {
    this.compiled.dispose();
  }
}

/** Traces a function on descriptions of named tensors. */
export function traceTree<Inputs extends Tree>(inputs: Tree, f: (inputs: Inputs) => Tree): TracedFunction {
  return trace(leavesOf<InputSpec>(inputs), (...leaves) => tensorsOf(f(filled(inputs, leaves) as Inputs)));
}

/** All tensors of a tree. */
export function tensorsOf(tree: Tree): tf.Tensor[] {
  return leavesOf<tf.Tensor>(tree);
}

/** The leaves of `values` under the names in `tree`, in the order of `tree`. */
function leavesOf<Leaf>(tree: Tree, values: Tree = tree): Leaf[] {
  if (isLeaf(tree)) return [values as Leaf];
  return entriesOf(tree).flatMap(([name, part]) => {
    const value = values instanceof Map ? values.get(name) : (values as Record<string, Tree | undefined>)[name];
    if (!value) throw new Error(`the graph has an input ${name}, but no tensor was passed for it`);
    return leavesOf<Leaf>(part, value);
  });
}

function described(tree: Tree): Tree {
  return filled(tree, specsOf(tensorsOf(tree)));
}

/** A tree with the names of `tree` and these leaves, in the order of `leavesOf`. */
function filled(tree: Tree, leaves: readonly Tree[]): Tree {
  let next = 0;
  const fill = (part: Tree): Tree => {
    if (isLeaf(part)) return leaves[next++]!;
    const entries = entriesOf(part).map(([name, value]) => [name, fill(value)] as const);
    return part instanceof Map ? new Map(entries) : Object.fromEntries(entries);
  };
  return fill(tree);
}

function isLeaf(tree: Tree): boolean {
  return 'dtype' in tree && 'shape' in tree;
}

function entriesOf(tree: Tree): [string, Tree][] {
  const entries: [string, Tree | undefined][] = tree instanceof Map ? [...tree] : Object.entries(tree);
  return entries.filter((entry): entry is [string, Tree] => entry[1] !== undefined);
}
