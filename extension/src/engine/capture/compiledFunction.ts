// A function on tensors as one TensorFlow graph, run by one call. Other tensors that the function reads become
// variables of the graph, which (on a CPU) share memory with the tensors they were filled from. Owns the loaded graph.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs-core';
import { collectGarbage } from '../machine/processMemory.js';
import { DataType, typeNumber } from './graph.js';
import { inXlaParts } from './xlaParts.js';
import { realBackend } from './nodeBackend.js';
import { trace, type InputSpec, type TracedFunction } from './tracingBackend.js';

const TAG = 'serve';

/** From this many nodes on, garbage is collected after tracing. */
const LARGE_GRAPH = 4000;

export class CompiledFunction {
  private constructor(
    private loaded: LoadedGraph,
    /** The plain graph, loaded if XLA refuses the first run; null after that run. */
    private fallback: TracedFunction | null,
    /** Tracing and loading; the first run adds TensorFlow's optimization of the graph and XLA's compilation. */
    readonly compileMs: number,
  ) {}

  get nodes(): number {
    return this.loaded.nodes;
  }

  /**
   * @param xla compile the graph's parts with XLA, if TensorFlow has it and it knows their ops
   * @throws UntraceableError on an op without a row in the table
   */
  static async compile(
    inputs: readonly InputSpec[],
    f: (...inputs: tf.Tensor[]) => tf.Tensor[],
    xla = false,
  ): Promise<CompiledFunction> {
    const compiled = CompiledFunction.traced(inputs, f, xla);
    // Tracing leaves about 8 KB of JavaScript garbage per node, just before the step reaches its peak memory.
    if (compiled.nodes > LARGE_GRAPH) collectGarbage();
    return compiled;
  }

  private static traced(
    inputs: readonly InputSpec[],
    f: (...inputs: tf.Tensor[]) => tf.Tensor[],
    xla: boolean,
  ): CompiledFunction {
    const began = performance.now();
    const traced = trace(inputs, f);
    const parts = xla && !realBackend().binding.isUsingGpuDevice() ? inXlaParts(traced) : null;
    return new CompiledFunction(load(parts ?? traced), parts && traced, performance.now() - began);
  }

  /** Runs the graph. The results belong to the caller. */
  run(inputs: readonly tf.Tensor[]): tf.Tensor[] {
    const { fallback } = this;
    this.fallback = null;
    try {
      return runLoaded(this.loaded, inputs);
    } catch (error) {
      if (!fallback) throw error;
      this.dispose();
      this.loaded = load(fallback);
      return runLoaded(this.loaded, inputs);
    }
  }

  dispose(): void {
    realBackend().binding.deleteSavedModel(this.loaded.session);
  }
}

interface LoadedGraph {
  session: number;
  inputNames: string;
  outputNames: string;
  nodes: number;
}

function load(traced: TracedFunction): LoadedGraph {
  const { graph, inputs, outputs } = traced;
  const filled = addInitialization(traced);
  const folder = mkdtempSync(join(tmpdir(), 'tunewright-graph-'));
  let session: number;
  try {
    writeFileSync(join(folder, 'saved_model.pb'), graph.toSavedModel());
    session = realBackend().binding.loadSavedModel(folder, TAG);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (filled) fill(session, filled, traced);
  return { session, inputNames: inputs.join(','), outputNames: outputs.join(','), nodes: graph.nodes.length };
}

function runLoaded({ session, inputNames, outputNames }: LoadedGraph, inputs: readonly tf.Tensor[]): tf.Tensor[] {
  const backend = realBackend();
  const ids = backend.getInputTensorIds([...inputs]);
  return backend.binding
    .runSavedModel(session, ids, inputNames, outputNames)
    .map(metadata => backend.createOutputTensor(metadata));
}

/**
 * Adds nodes that fill all variables in one run: TensorFlow optimizes the graph again for each set of feeds and
 * fetches.
 */
function addInitialization({ graph, captured }: TracedFunction): string | null {
  if (captured.length === 0) return null;
  const assigned = captured.map(({ variable, tensor }) => {
    const dtype = { type: typeNumber(tensor.dtype) };
    const value = graph.add('Placeholder', [], { dtype, shape: { shape: tensor.shape } }, `${variable}/value`);
    return `^${graph.add('AssignVariableOp', [variable, value], { dtype }, `${variable}/assign`)}`;
  });
  const content = new Uint8Array(Int32Array.of(0).buffer);
  const value = { tensor: { dtype: DataType.int32, shape: [], content } };
  return graph.add('Const', assigned, { dtype: { type: DataType.int32 }, value }, 'initialized');
}

function fill(session: number, done: string, { captured }: TracedFunction): void {
  const backend = realBackend();
  const ids = backend.getInputTensorIds(captured.map(({ tensor }) => tensor));
  const names = captured.map(({ variable }) => `${variable}/value:0`).join(',');
  for (const { id } of backend.binding.runSavedModel(session, ids, names, `${done}:0`))
    backend.binding.deleteTensor(id);
}
