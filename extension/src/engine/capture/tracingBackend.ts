// A second tfjs-node backend whose binding records instead of computing. tfjs's kernels and its autodiff run on it
// unchanged; every op that they send to TensorFlow becomes a node of a graph, with shapes from opTable.ts. Tensors of
// the real backend that the traced code reads become variables of the graph. Works without the TensorFlow library too:
// an estimate traces before anything is loaded.
import * as tf from '@tensorflow/tfjs-core';
import { DataType, Graph, nodeOf, typeName, type Attribute, type Attributes, type ConstantValue } from './graph.js';
import { createNodeBackend, findRealBackend, REAL, realBackend } from './nodeBackend.js';
import { resultsOf, rowOf } from './opTable.js';
import { setOrderRecorder } from './ordering.js';
import type { AbstractTensor } from './shapeRules.js';
import { BINDING_CONSTANTS, type NodeBackend, type OpAttribute, type OpBinding, type TensorData } from './tfjsNode.js';

const TRACING = 'tensorflow-tracing';

/** A traced tensor: its description, and the node output that produces it. */
interface TracedTensor extends AbstractTensor {
  output: string;
}

/** A tensor of the real backend that the graph reads. */
export interface CapturedTensor {
  variable: string;
  tensor: tf.TensorInfo;
}

/** Equal constants up to this size share a node. */
const SHARED_CONSTANT_BYTES = 64;

class Trace {
  readonly graph = new Graph();
  readonly captured: CapturedTensor[] = [];
  private readonly symbols = new Map<number, TracedTensor>();
  private readonly constants = new Map<string, string>();
  private nextId = 1;
  /** In an `after` scope: the node that its ops wait for, and the nodes made in it so far. */
  private order: { barrier: string; made: Set<string> } | null = null;

  /** Records `f` so that its ops start when `barrier` is done. */
  after<T>(barrier: string, f: () => T): T {
    const outer = this.order;
    this.order = { barrier, made: new Set() };
    try {
      return f();
    } finally {
      this.order = outer;
    }
  }

  /** Adds an op. In an `after` scope it waits for the barrier, unless one of its inputs already does. */
  operation(op: string, inputs: string[], attributes: Attributes): string {
    const { order, graph } = this;
    const waits = order && !inputs.some(input => order.made.has(nodeOf(input)));
    const name = graph.add(op, waits ? [...inputs, `^${order.barrier}`] : inputs, attributes);
    order?.made.add(name);
    return name;
  }

  define(output: string, { shape, dtype, values }: AbstractTensor): number {
    const id = this.nextId++;
    this.symbols.set(id, { shape, dtype, values, output });
    return id;
  }

  symbol(id: number): TracedTensor {
    const symbol = this.symbols.get(id);
    if (!symbol) throw new Error(`tensor ${id} is not part of the trace`);
    return symbol;
  }

  /** The description of each node output. */
  get tensors(): Map<string, AbstractTensor> {
    return new Map([...this.symbols.values()].map(symbol => [symbol.output, symbol]));
  }

  constant(value: ConstantValue): string {
    if (value.content.byteLength > SHARED_CONSTANT_BYTES) return this.graph.constant(value);
    const key = `${value.dtype}|${value.shape}|${Buffer.from(value.content).toString('base64')}`;
    const known = this.constants.get(key);
    if (known) return known;
    const name = this.graph.constant(value);
    this.constants.set(key, name);
    return name;
  }

  /** Adds a variable that is filled from the real tensor when the graph is loaded. */
  capture(tensor: tf.TensorInfo, dtype: number): number {
    const { graph } = this;
    const variable = `captured_${this.captured.length}`;
    const attributes: Attributes = { dtype: { type: dtype }, shape: { shape: tensor.shape } };
    graph.add('VarHandleOp', [], { ...attributes, shared_name: { string: variable } }, variable);
    graph.add('ReadVariableOp', [variable], { dtype: { type: dtype } }, `${variable}/read`);
    this.captured.push({ variable, tensor });
    return this.define(`${variable}/read:0`, { shape: tensor.shape, dtype });
  }
}

const contentMakers: Record<
  number,
  (values: ArrayLike<number>) => Float32Array | Int32Array | BigInt64Array | Uint8Array
> = {
  [DataType.float32]: values => new Float32Array(values),
  [DataType.int32]: values => new Int32Array(values),
  // tfjs-node hands over a scalar as two 32-bit halves.
  [DataType.int64]: values => BigInt64Array.of(BigInt(values[0]!)),
  [DataType.bool]: values => new Uint8Array(values),
  [DataType.uint8]: values => new Uint8Array(values),
};

function contentOf(values: ArrayLike<number>, dtype: number): Uint8Array {
  const typed = contentMakers[dtype]?.(values);
  if (!typed) throw new Error(`constants of DataType ${dtype} can't be traced`);
  return new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength);
}

/** An eager op's attribute in the form that a graph has. */
function attributeOf({ name, type, value }: OpAttribute): Attribute {
  const { TF_ATTR_TYPE, TF_ATTR_INT, TF_ATTR_FLOAT, TF_ATTR_STRING, TF_ATTR_SHAPE } = BINDING_CONSTANTS;
  if (typeof value === 'boolean') return { bool: value };
  if (typeof value === 'number') {
    if (type === TF_ATTR_TYPE) return { type: value };
    if (type === TF_ATTR_INT) return { int: value };
    if (type === TF_ATTR_FLOAT) return { float: value };
  } else if (typeof value === 'string') {
    if (type === TF_ATTR_STRING) return { string: value };
  } else {
    if (type === TF_ATTR_INT) return { ints: value };
    if (type === TF_ATTR_SHAPE) return { shape: value };
  }
  throw new Error(`attribute ${name} of type ${type} can't be traced`);
}

/** Replaces the native binding while tracing. */
function recordingBinding(trace: () => Trace): OpBinding {
  return {
    ...BINDING_CONSTANTS,
    isUsingGpuDevice: () => findRealBackend()?.binding.isUsingGpuDevice() ?? false,
    createTensor(shape, dtype, values) {
      const name = trace().constant({ dtype, shape, content: contentOf(values, dtype) });
      return trace().define(`${name}:0`, { shape, dtype, values });
    },
    deleteTensor() {},
    tensorDataSync(id) {
      const { values, dtype, shape } = trace().symbol(id);
      if (values) return values;
      // tfjs reads the indices of a gather to check their range; zeros always pass.
      if (dtype === DataType.int32) return new Int32Array(tf.util.sizeFromShape(shape));
      throw new Error('traced code must not read values');
    },
    executeOp(op, attributes, inputIds) {
      const { implied } = rowOf(op);
      const inputs = inputIds.map(id => trace().symbol(id));
      const sent = Object.fromEntries(attributes.map(attribute => [attribute.name, attributeOf(attribute)]));
      const all = { ...implied?.(inputs), ...sent };
      const results = resultsOf(op, inputs, all);
      const sources = inputs.map(({ output }) => output);
      const node = trace().operation(op, sources, all);
      return results.map((result, i) => ({ ...result, id: trace().define(`${node}:${i}`, result) }));
    },
  };
}

let current: Trace | null = null;
const active = (): Trace => {
  if (!current) throw new Error('nothing is being traced');
  return current;
};

/** Registers the tracing backend with tfjs, once. */
function register(): void {
  if (tf.findBackend(TRACING)) return;
  const backend = createNodeBackend(recordingBinding(active));
  const own = backend.tensorMap;
  const incRef = backend.incRef.bind(backend);

  /** Tensors of the real backend are captured when they are first read. */
  const get = own.get.bind(own);
  own.get = dataId => {
    if (own.has(dataId)) return get(dataId);
    const { shape, dtype } = realBackend().tensorMap.get(dataId);
    const tensor = { dataId, shape, dtype: typeName(dtype) };
    const data: TensorData = { shape, dtype, values: null, id: active().capture(tensor, dtype), refCount: 1 };
    captured.add(dataId);
    own.set(dataId, data);
    return data;
  };
  // A clone shares its dataId and is disposed by the backend that owns it.
  backend.incRef = dataId => (own.has(dataId) && !captured.has(dataId) ? incRef(dataId) : realBackend().incRef(dataId));

  backend.dispose = () => {};
  tf.copyRegisteredKernels(REAL, TRACING);
  tf.registerBackend(TRACING, () => backend);
}

/** tfjs-node's kernels read constants from the backend named `tensorflow`, so there must be one. */
function withRealName<T>(backend: NodeBackend, f: () => T): T {
  if (findRealBackend()) return f();
  tf.registerBackend(REAL, () => backend);
  try {
    return f();
  } finally {
    tf.removeBackend(REAL);
  }
}

/** Data of the real backend that the current trace has captured. */
let captured = new Set<tf.DataId>();

export interface InputSpec {
  shape: readonly number[];
  dtype: 'float32' | 'int32';
}

export function specsOf(tensors: Iterable<tf.Tensor>): InputSpec[] {
  return Array.from(tensors, ({ shape, dtype }) => ({ shape, dtype: dtype as InputSpec['dtype'] }));
}

export interface TracedFunction {
  graph: Graph;
  captured: CapturedTensor[];
  /** `name:0` of each input. */
  inputs: string[];
  /** `name:i` of each result. */
  outputs: string[];
  /** Shape and type of every node output, by `name:i`. */
  tensors: ReadonlyMap<string, AbstractTensor>;
}

/**
 * Runs `f` on symbolic tensors and records its ops; nothing is computed, and results take no memory.
 * @throws UntraceableError on an op without a row in the table
 */
export function trace(specs: readonly InputSpec[], f: (...inputs: tf.Tensor[]) => tf.Tensor[]): TracedFunction {
  register();
  const previous = tf.getBackend();
  // The backend is created synchronously, so this has taken effect when it returns.
  void tf.setBackend(TRACING);
  const backend = tf.findBackend(TRACING) as NodeBackend;
  const recording = new Trace();
  current = recording;
  captured = new Set();
  setOrderRecorder({
    after: (tensor, f) => {
      const [id] = backend.getInputTensorIds([tensor]);
      const { output } = recording.symbol(id!);
      return recording.after(nodeOf(output), f);
    },
  });
  try {
    let outputs: string[] = [];
    const inputs: string[] = [];
    const record = () => {
      const tensors = specs.map(({ shape, dtype }, i) => {
        const described = { shape: [...shape], dtype: DataType[dtype] };
        const attributes = { dtype: { type: described.dtype }, shape: { shape } };
        const output = `${recording.graph.add('Placeholder', [], attributes, `input_${i}`)}:0`;
        inputs.push(output);
        return backend.createOutputTensor({ ...described, id: recording.define(output, described) });
      });
      outputs = backend.getInputTensorIds(f(...tensors)).map(id => recording.symbol(id).output);
    };
    withRealName(backend, () => tf.tidy(record));
    const { graph, captured, tensors } = recording;
    return { graph, captured, inputs, outputs, tensors };
  } finally {
    if (previous) void tf.setBackend(previous);
    setOrderRecorder(null);
    for (const dataId of captured) backend.tensorMap.delete(dataId);
    current = null;
  }
}
