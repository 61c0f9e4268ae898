// A function on tensors as one TensorFlow graph, run by one call. What the function read beside its inputs is held in the
// graph's variables, which share memory with the tensors they were filled from (on a CPU). Owns the loaded graph.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs-core';
import { DataType } from './graph.js';
import { realBackend, trace, type InputSpec, type TracedFunction } from './tracingBackend.js';

const TAG = 'serve';

export class CompiledFunction {
  private readonly inputNames: string;
  private readonly outputNames: string;

  private constructor(
    private readonly session: number,
    { inputs, outputs }: TracedFunction,
    /** Nodes of the graph. */
    readonly nodes: number,
    /** Tracing and loading; the first run adds TensorFlow's own optimization of the graph. */
    readonly compileMs: number,
  ) {
    this.inputNames = inputs.join(',');
    this.outputNames = outputs.join(',');
  }

  /** @throws UntraceableError on an op without a shape rule */
  static async compile(
    inputs: readonly InputSpec[],
    f: (...inputs: tf.Tensor[]) => tf.Tensor[],
  ): Promise<CompiledFunction> {
    const began = performance.now();
    const traced = trace(inputs, f);
    const filled = addInitialization(traced);
    const { binding } = realBackend();
    const folder = mkdtempSync(join(tmpdir(), 'tunewright-graph-'));
    let session: number;
    try {
      writeFileSync(join(folder, 'saved_model.pb'), traced.graph.toSavedModel());
      session = binding.loadSavedModel(folder, TAG);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    if (filled) fill(session, filled, traced);
    return new CompiledFunction(session, traced, traced.graph.nodes.length, performance.now() - began);
  }

  /** Runs the graph. The results belong to the caller. */
  run(inputs: readonly tf.Tensor[]): tf.Tensor[] {
    const backend = realBackend();
    const ids = backend.getInputTensorIds([...inputs]);
    return backend.binding
      .runSavedModel(this.session, ids, this.inputNames, this.outputNames)
      .map(metadata => backend.createOutputTensor(metadata));
  }

  dispose(): void {
    realBackend().binding.deleteSavedModel(this.session);
  }
}

/** Nodes that fill every variable in one run: each distinct set of feeds and fetches costs an optimization of the graph. */
function addInitialization({ graph, captured }: TracedFunction): string | null {
  if (captured.length === 0) return null;
  const assigned = captured.map(({ variable, tensor }) => {
    const dtype = { type: DataType[tensor.dtype as keyof typeof DataType] };
    const value = graph.add('Placeholder', [], { dtype, shape: { shape: tensor.shape } }, `${variable}/value`);
    return `^${graph.add('AssignVariableOp', [variable, value], { dtype })}`;
  });
  const content = new Uint8Array(Int32Array.of(0).buffer);
  return graph.add('Const', assigned, {
    dtype: { type: DataType.int32 },
    value: { tensor: { dtype: DataType.int32, shape: [], content } },
  });
}

function fill(session: number, done: string, { captured }: TracedFunction): void {
  const backend = realBackend();
  const ids = backend.getInputTensorIds(captured.map(({ tensor }) => tensor));
  const names = captured.map(({ variable }) => `${variable}/value:0`).join(',');
  for (const { id } of backend.binding.runSavedModel(session, ids, names, `${done}:0`))
    backend.binding.deleteTensor(id);
}
