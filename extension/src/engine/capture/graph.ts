// A TensorFlow graph under construction, and its serialization as a SavedModel. Nodes are plain objects until then; the
// protobuf classes are those that tfjs-node generated from TensorFlow's published schema. Knows nothing about tfjs
// tensors.
import { requireFromTfjsNode } from '../install/tfjsNodePackage.js';

/** TensorFlow's DataType numbers (tensorflow/core/framework/types.proto). */
export const DataType = {
  float32: 1,
  int32: 3,
  uint8: 4,
  int16: 5,
  int8: 6,
  string: 7,
  int64: 9,
  bool: 10,
  bfloat16: 14,
  float16: 19,
} as const;

/** Bytes per value of the types whose values don't take four. */
const VALUE_BYTES: Readonly<Record<number, number>> = {
  [DataType.uint8]: 1,
  [DataType.int8]: 1,
  [DataType.bool]: 1,
  [DataType.bfloat16]: 2,
  [DataType.int16]: 2,
  [DataType.float16]: 2,
  [DataType.int64]: 8,
};

export function bytesOfType(dtype: number): number {
  return VALUE_BYTES[dtype] ?? 4;
}

/** The DataType of a tfjs dtype. */
export function typeNumber(name: string): number {
  if (name === 'float32' || name === 'int32' || name === 'bool') return DataType[name];
  throw new Error(`tensors of type ${name} can't be part of a graph`);
}

/** The tfjs dtype of a DataType. */
export function typeName(dtype: number): 'float32' | 'int32' | 'bool' {
  if (dtype === DataType.float32) return 'float32';
  if (dtype === DataType.int32) return 'int32';
  if (dtype === DataType.bool) return 'bool';
  throw new Error(`tfjs has no tensors of DataType ${dtype}`);
}

export interface ConstantValue {
  dtype: number;
  shape: readonly number[];
  /** Row-major, little-endian. */
  content: Uint8Array;
}

export type Attribute =
  | { type: number }
  | { bool: boolean }
  | { int: number }
  | { ints: readonly number[] }
  | { float: number }
  | { string: string }
  | { shape: readonly number[] }
  | { tensor: ConstantValue };

export type Attributes = Readonly<Record<string, Attribute>>;

/** False if the attribute is absent, as in TensorFlow. */
export function boolAttribute(attributes: Attributes, name: string): boolean {
  const attribute = attributes[name];
  return attribute !== undefined && 'bool' in attribute && attribute.bool;
}

export function intAttribute(attributes: Attributes, name: string): number {
  const attribute = attributes[name];
  if (attribute === undefined || !('int' in attribute)) throw new Error(`no integer attribute ${name}`);
  return attribute.int;
}

export function typeAttribute(attributes: Attributes, name: string): number {
  const attribute = attributes[name];
  if (attribute === undefined || !('type' in attribute)) throw new Error(`no type attribute ${name}`);
  return attribute.type;
}

export interface GraphNode {
  name: string;
  op: string;
  /** `node:output`, or `^node` for a control dependency. */
  inputs: string[];
  attributes: Attributes;
}

/** `node` of `node`, `node:output` or `^node`. */
export function nodeOf(input: string): string {
  return input.replace(/^\^|:\d+$/g, '');
}

/** A function in the graph's library. Nodes call it by its name, like an op. */
export interface GraphFunction {
  name: string;
  /** DataType of each argument; nodes read them as `a0`, `a1`, ... */
  inputs: readonly number[];
  /** Each result's DataType, and the value inside the function that it returns. */
  outputs: readonly { type: number; value: string }[];
  /** Their inputs have the form `node:outputName:index`. */
  nodes: readonly GraphNode[];
}

/** The graph version of TensorFlow 2.9, which every later version reads. */
const PRODUCER = 1087;
const TAG = 'serve';

export class Graph {
  readonly nodes: GraphNode[] = [];
  readonly functions: GraphFunction[] = [];

  /** Adds a node and returns its name, which is unique by default. */
  add(op: string, inputs: string[], attributes: Attributes = {}, name = `${op}_${this.nodes.length}`): string {
    this.nodes.push({ name, op, inputs, attributes });
    return name;
  }

  constant(value: ConstantValue): string {
    return this.add('Const', [], { dtype: { type: value.dtype }, value: { tensor: value } });
  }

  /** The content of saved_model.pb; load it with the tag `serve`. */
  toSavedModel(): Uint8Array {
    const messages = requireFromTfjsNode('@tensorflow/tfjs-node/dist/proto/api_pb.js');
    const graph = new messages.GraphDef();
    const versions = new messages.VersionDef();
    versions.setProducer(PRODUCER);
    graph.setVersions(versions);
    for (const node of this.nodes) graph.addNode(nodeMessage(messages, node));
    const library = new messages.FunctionDefLibrary();
    for (const definition of this.functions) library.addFunction(functionMessage(messages, definition));
    graph.setLibrary(library);
    const info = new messages.MetaGraphDef.MetaInfoDef();
    info.addTags(TAG);
    const metaGraph = new messages.MetaGraphDef();
    metaGraph.setMetaInfoDef(info);
    metaGraph.setGraphDef(graph);
    const saved = new messages.SavedModel();
    saved.setSavedModelSchemaVersion(1);
    saved.addMetaGraphs(metaGraph);
    return saved.serializeBinary();
  }
}

function nodeMessage(messages: any, { name, op, inputs, attributes }: GraphNode): unknown {
  const node = new messages.NodeDef();
  node.setName(name);
  node.setOp(op);
  node.setInputList(inputs);
  const map = node.getAttrMap();
  for (const [key, value] of Object.entries(attributes)) map.set(key, attributeMessage(messages, value));
  return node;
}

function functionMessage(messages: any, { name, inputs, outputs, nodes }: GraphFunction): unknown {
  const signature = new messages.OpDef();
  signature.setName(name);
  const argument = (name: string, type: number) => {
    const message = new messages.OpDef.ArgDef();
    message.setName(name);
    message.setType(type);
    return message;
  };
  inputs.forEach((type, i) => signature.addInputArg(argument(`a${i}`, type)));
  outputs.forEach(({ type }, i) => signature.addOutputArg(argument(`o${i}`, type)));
  const message = new messages.FunctionDef();
  message.setSignature(signature);
  for (const node of nodes) message.addNodeDef(nodeMessage(messages, node));
  outputs.forEach(({ value }, i) => message.getRetMap().set(`o${i}`, value));
  return message;
}

function attributeMessage(messages: any, attribute: Attribute): unknown {
  const message = new messages.AttrValue();
  if ('type' in attribute) message.setType(attribute.type);
  else if ('bool' in attribute) message.setB(attribute.bool);
  else if ('int' in attribute) message.setI(attribute.int);
  else if ('float' in attribute) message.setF(attribute.float);
  else if ('string' in attribute) message.setS(Buffer.from(attribute.string));
  else if ('shape' in attribute) message.setShape(shapeMessage(messages, attribute.shape));
  else if ('ints' in attribute) {
    const list = new messages.AttrValue.ListValue();
    list.setIList([...attribute.ints]);
    message.setList(list);
  } else {
    const { dtype, shape, content } = attribute.tensor;
    const tensor = new messages.Tensor();
    tensor.setDtype(dtype);
    tensor.setTensorShape(shapeMessage(messages, shape));
    tensor.setTensorContent(content);
    message.setTensor(tensor);
  }
  return message;
}

function shapeMessage(messages: any, shape: readonly number[]): unknown {
  const message = new messages.TensorShape();
  for (const size of shape) {
    const dim = new messages.TensorShape.Dim();
    dim.setSize(size);
    message.addDim(dim);
  }
  return message;
}
