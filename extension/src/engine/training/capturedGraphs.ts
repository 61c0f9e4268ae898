// The graphs of a run's captured functions, by purpose and shapes of the micro-batch. Shared by steps (capturedStep.ts)
// and scores (capturedScore.ts); owns its graphs.
import type { CapturedFunction } from '../capture/captureFunction.js';
import { CompiledTree, tensorsOf } from '../capture/compiledTree.js';

export interface CompileReport {
  graphs: number;
  nodes: number;
  compileMs: number;
}

export class CapturedGraphs {
  private readonly graphs = new Map<string, CompiledTree<any, any>>();

  /** Counts over all graphs compiled so far. */
  get report(): CompileReport {
    const all = [...this.graphs.values()].map(({ compiled }) => compiled);
    const sum = (of: (graph: CapturedFunction) => number) => all.reduce((total, graph) => total + of(graph), 0);
    return { graphs: all.length, nodes: sum(graph => graph.nodes), compileMs: sum(graph => graph.compileMs) };
  }

  /**
   * Runs `f` on `inputs` as the graph for `key`, which is compiled on first use. The results belong to the caller.
   * @param key purpose, and the shapes of all inputs whose shapes vary
   * @throws UntraceableError on an op that can't be captured
   */
  async run<Inputs extends object, Outputs extends object>(
    key: string,
    inputs: Inputs,
    f: (inputs: Inputs) => Outputs,
  ): Promise<Outputs> {
    let graph: CompiledTree<Inputs, Outputs> | undefined = this.graphs.get(key);
    if (!graph) {
      graph = await CompiledTree.compile(inputs, f);
      this.graphs.set(key, graph);
    }
    return graph.run(inputs);
  }

  dispose(): void {
    for (const graph of this.graphs.values()) graph.dispose();
    this.graphs.clear();
  }
}

/** The shapes of tensors, for a graph's key. */
export function shapesOf(tensors: object): string {
  return tensorsOf(tensors)
    .map(({ shape }) => shape.join('x'))
    .join(' ');
}
